"""A Slurm of its own: two nodes on this machine, on free ports, with its own configuration, keys and folder."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from benchmarks.fleet import folder as fleets
from tests.helpers import processes

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch")
FOLDERS = ("/usr/sbin", "/usr/local/sbin")
NODES = ("n1", "n2")

CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=5
CredType=cred/munge
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/pgid
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1,sched_min_interval=0,requeue_setup_env_fail
ReturnToService=2
SlurmdTimeout=15
SlurmctldTimeout=10
KillWait=5
MinJobAge=3600
MessageTimeout=20
MailProg=/bin/true
{nodes}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=0
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
"""


def program(name: str) -> str | None:
    """The path of a program of Slurm or munge."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *FOLDERS]))


def present() -> bool:
    """Whether a Slurm can be started here."""
    return all(map(program, PROGRAMS))


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


class Slurm:
    """A cluster of two nodes in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.user = pwd.getpwuid(os.getuid()).pw_name
        node = "NodeName={name} NodeHostname={name} NodeAddr=127.0.0.1 Port={port} CPUs=1 State=UNKNOWN"
        nodes = "\n".join(node.format(name=name, port=free_port()) for name in NODES)
        host, port = socket.gethostname(), free_port()
        (folder / "slurm.conf").write_text(
            CONFIGURATION.format(host=host, port=port, folder=folder, user=self.user, nodes=nodes)
        )

    @property
    def environment(self) -> dict[str, str]:
        """What makes Slurm's commands ask this cluster."""
        return {"SLURM_CONF": f"{self.folder}/slurm.conf"}

    def start(self) -> None:
        """Start munge, the controller and the nodes, and wait until they are idle."""
        (self.folder / "state").mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        self._start(
            "munged", "--foreground", "--force", f"--socket={self.folder}/munge.sock", f"--key-file={key}",
            f"--pid-file={self.folder}/munged.pid", f"--log-file={self.folder}/munged.log",
            f"--seed-file={self.folder}/munged.seed",
        )  # fmt: skip
        processes.wait_for((self.folder / "munge.sock").exists)
        self._start("slurmctld", "-D", "-f", f"{self.folder}/slurm.conf")
        for name in NODES:
            self._start("slurmd", "-D", "-N", name, "-f", f"{self.folder}/slurm.conf", key=name)
        states = ("sinfo", "-N", "-h", "-p", "all", "-o", "%T")
        processes.wait_for(lambda: self.command(*states).split().count("idle") == len(NODES))

    def _start(self, name: str, *arguments: str, key: str = "") -> None:
        path = program(name)
        assert path is not None
        with (self.folder / f"{key or name}.out").open("ab") as log:
            self.processes[key or name] = subprocess.Popen(
                [path, *arguments], stdout=log, stderr=log, env={**os.environ, **self.environment}
            )

    def command(self, *words: str) -> str:
        """What a command of Slurm prints; nothing where it fails."""
        done = subprocess.run(
            words, capture_output=True, text=True, env={**os.environ, **self.environment}, check=False
        )
        return done.stdout

    def stop(self) -> None:
        """End all jobs and all daemons."""
        with contextlib.suppress(Exception):
            self.end_jobs()
        for process in reversed(self.processes.values()):
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()

    def end_jobs(self) -> None:
        """Cancel all jobs, and wait until they have ended."""
        self.command("scancel", f"--user={self.user}")
        processes.wait_for(lambda: not self.command("squeue", "-h").strip())


class Fleet:
    """A fleet that was started on a cluster; `measured` are the options of each node's run."""

    def __init__(self, cluster: Slurm, folder: Path, measured: tuple[str, ...]) -> None:
        self.cluster = cluster
        self.folder = folder
        self.measured = measured

    def run(self, *words: object, timeout: float = 280) -> subprocess.CompletedProcess[str]:
        """Run a command of the fleet."""
        return processes.python("-m", "benchmarks", "fleet", *words, timeout=timeout, **self.cluster.environment)

    def start(self, *options: object, replicates: int = 2) -> tuple[fleets.Member, ...]:
        """Start it, and return its members."""
        done = self.run("--fleet", self.folder, *options, *self.measured, "--replicates", replicates)
        assert done.returncode == 0, done.stdout + done.stderr
        return fleets.read(self.folder).members

    def wait(self, seconds: float = 200) -> None:
        """Wait until Slurm has no job, and see that `status` says so too."""
        processes.wait_for(lambda: not self.cluster.command("squeue", "-h").strip(), seconds)
        assert self.run("status", self.folder).returncode == 0

    def collect(self) -> tuple[int, str, str]:
        """Collect it; return the exit code, what is said, and the table."""
        done = self.run("collect", self.folder)
        return done.returncode, done.stdout, (self.folder / "fleet.md").read_text()

    def measuring(self, member: str, replicates: int = 1) -> None:
        """Wait until a member's run has so many replicates."""
        processes.wait_for(lambda: fleets.replicates_done(self.folder, member)[0] >= replicates)
