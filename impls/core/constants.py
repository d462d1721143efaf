"""The constants of an implementation's file: which there are, and how they are read without running it."""

import ast
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import msgspec

from impls.core.contract import DEVICES, TRACKS
from impls.core.problem import DTYPES, VARIANTS
from impls.core.workloads import WORKLOADS

DEFAULT_DTYPES = ("float32", "float64")
"""Those of an implementation that sets no DTYPES."""
USUAL_WORKLOADS = tuple(name for name, workload in WORKLOADS.items() if workload.usual)
"""Those of an implementation that sets no WORKLOADS."""
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _one_of(names: Iterable[str]) -> msgspec.Meta:
    return msgspec.Meta(pattern=rf"^({'|'.join(names)})$")


Track = Annotated[str, _one_of(TRACKS)]
Device = Annotated[str, _one_of(DEVICES)]
DType = Annotated[str, _one_of(DTYPES)]
Variant = Annotated[str, _one_of(VARIANTS)]
Failing = Annotated[str, _one_of((*VARIANTS, *DTYPES))]
WorkloadName = Annotated[str, _one_of(WORKLOADS)]
SOME = msgspec.Meta(min_length=1)
Requirement = Annotated[str, msgspec.Meta(pattern=r"^\s*[^-\s]")]  # no option of pip


class Constants(msgspec.Struct, frozen=True, kw_only=True, rename="upper"):
    """The constants of an implementation's file that are read without running it, with their defaults."""

    framework: Annotated[str, msgspec.Meta(pattern=r"\S")]
    track: Track
    devices: Annotated[tuple[Device, ...], SOME] = DEVICES
    dtypes: Annotated[tuple[DType, ...], SOME] = DEFAULT_DTYPES
    workloads: Annotated[tuple[WorkloadName, ...], SOME] = USUAL_WORKLOADS
    variants: tuple[Variant, ...] = ()
    fails: tuple[Failing, ...] = ()
    limits: dict[Annotated[str, msgspec.Meta(pattern="^[a-z-]+$")], str] = {}
    optional: bool = False
    compile_minutes: Annotated[int, msgspec.Meta(ge=0)] = 0
    requires: tuple[Requirement, ...] = ()
    environment: dict[Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_]\w*$")], str] = {}


NAMES = Constants.__struct_encode_fields__


def run_on_import(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield all that runs when a file is imported: not what is in functions and classes, nor a mere annotation."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.AnnAssign) and node.value is None:
            continue
        yield node
        if not isinstance(node, SCOPES):
            waiting += ast.iter_child_nodes(node)


def name_set_by(node: ast.AST) -> str | None:
    """Return the name that an assignment, a definition or an import sets; None where it sets none."""
    if isinstance(node, ast.Name):
        return None if isinstance(node.ctx, ast.Load) else node.id
    if isinstance(node, ast.alias):
        return node.asname or node.name
    return node.name if isinstance(node, SCOPES) else None


def constants_of(tree: ast.Module) -> dict[str, Any]:
    """Return the constants of a file; ValueError where one is set in another way than `NAME = literal`, at the top."""
    constants: dict[str, Any] = {}
    names = [name_set_by(node) for node in run_on_import(tree)]
    for statement in tree.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if name in NAMES:
                try:
                    constants[name] = ast.literal_eval(value)
                except ValueError:
                    raise ValueError(f"{name} = {ast.unparse(value)}") from None
                names.remove(name)
    for name in NAMES:
        if name in names:
            raise ValueError(f"{name} is set in another way")
    return constants
