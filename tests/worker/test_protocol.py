"""Messages between runner and worker."""

import msgspec

from benchmarks.worker import protocol, requests

OPEN = requests.Open("t1-b1-i1-h1/sequence/forward", 3, None, 7)


def test_a_request_and_its_answer_read_back():
    assert protocol.read_request(protocol.line(OPEN)) == OPEN
    reply = protocol.Reply(requests.Pipelined(0.5, None, 2.0))
    assert msgspec.json.decode(protocol.line(reply), type=protocol.Reply[requests.Pipeline.answer_type()]) == reply
