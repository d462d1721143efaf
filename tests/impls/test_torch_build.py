"""Without a GPU a newcomer gets a torch a tenth of the size, unless he has chosen otherwise or its index is away."""

import http.server
import threading

import pytest

from impls.core import torch_build

CPU = {"UV_TORCH_BACKEND": "cpu"}


class Index(http.server.BaseHTTPRequestHandler):
    """One that answers with the status of its server, after it has been released."""

    def do_GET(self):
        self.server.released.wait()
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A local index, on a machine without an NVIDIA driver whose user has chosen nothing."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    server.released = threading.Event()
    server.released.set()
    server.status = 200
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    monkeypatch.setattr(torch_build, "INDEX", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setattr(torch_build, "SECONDS", 60.0)
    monkeypatch.setattr(torch_build, "DRIVERS", [str(tmp_path / "driver")])
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("no_proxy", "*")
    for choice in torch_build.CHOICES:
        monkeypatch.delenv(f"UV_{choice}", raising=False)
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()


def test_without_a_driver_it_is_the_build_for_cpus_if_its_index_answers_in_time(index, monkeypatch):
    assert torch_build.variables() == CPU
    index.status = 503
    assert torch_build.variables() == {}
    index.status = 200
    index.released.clear()
    monkeypatch.setattr(torch_build, "SECONDS", 0.05)
    assert torch_build.variables() == {}


@pytest.mark.parametrize("what", ["driver", "nvidia-smi", *torch_build.CHOICES])
def test_a_driver_and_what_the_user_has_chosen_come_first(what, index, tmp_path, monkeypatch):
    if what in torch_build.CHOICES:
        monkeypatch.setenv(f"UV_{what}", "mine")
    else:
        (tmp_path / what).touch(mode=0o700)
    assert torch_build.variables() == {}
