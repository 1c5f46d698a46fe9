import pytest

from llm_proxy_local.stops import StopFinder

CASES = [
    ("one two three", [], "one two three", None),
    ("one two three", ["two"], "one ", "two"),
    ("one two three", ["four", "three"], "one two ", "three"),
    ("aaab", ["aab"], "a", "aab"),
    ("one tw", ["two"], "one tw", None),
    ("xyz", ["yz", "xy"], "", "xy"),
    ("text", ["", "ext"], "t", "ext"),
    ("ends\n\nUser:", ["\n\nUser:"], "ends", "\n\nUser:"),
]


@pytest.mark.parametrize(("text", "sequences", "expected", "found"), CASES)
def test_text_is_cut_at_the_first_sequence_however_it_is_sliced(text, sequences, expected, found):
    for size in range(1, len(text) + 1):
        finder = StopFinder(sequences)
        out = ""
        for start in range(0, len(text), size):
            if finder.found is None:
                out += finder.feed(text[start : start + size])
        out += finder.flush()
        assert (out, finder.found) == (expected, found)


def test_only_what_may_be_a_stop_sequence_is_held_back():
    finder = StopFinder(["two"])
    assert finder.feed("one t") == "one "
    assert finder.feed("hree") == "three"
