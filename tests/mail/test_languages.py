"""Which language a mail is in."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.mail.languages import choose

OURS = ("bn", "de", "en", "es", "fr", "it", "nl", "pl", "pt-BR", "zh-CN")


@pytest.mark.parametrize(
    ("wish", "language"),
    [
        ("de", "de"),
        ("DE", "de"),
        ("de-AT", "de"),
        ("de_AT", "de"),
        ("de-Latn-AT-1996", "de"),
        ("de-x-mine", "de"),
        ("de-a-b-x-mine", "de"),
        ("pt-BR", "pt-BR"),
        ("pt-br", "pt-BR"),
        ("pt", "pt-BR"),
        ("pt-PT", "pt-BR"),
        ("zh", "zh-CN"),
        ("zh-Hans-CN", "zh-CN"),
        ("fr;q=0.5, de;q=0.9", "de"),
        ("fr;q=0.5,de;q=0.9", "de"),
        ("fr , de", "fr"),
        ("ja, de;q=0.1", "de"),
        ("ja-JP, ko;q=0.8, it;q=0.2, pl;q=0.3", "pl"),
        ("de;q=0, fr;q=0.1", "fr"),
        ("de;q=1.000, fr;q=1", "de"),
        ("fr;Q=0.2, nl;Q=0.3", "nl"),
        ("*", "en"),
        ("*, de;q=0.5", "de"),
        ("", "en"),
        ("undefined", "en"),
        ("ja", "en"),
        ("deu", "en"),
        ("d", "en"),
        ("de;q=2", "en"),
        ("de;q=-1", "en"),
        ("de;q=0.1234", "en"),
        ("de;q=x", "en"),
        ("de;level=1", "en"),
        ("dé", "en"),
        ("de\r\nBcc: x", "en"),
    ],
)
def test_a_wish_is_looked_up(wish, language):
    assert choose(OURS, wish) == language


def test_the_stronger_wish_wins_and_one_that_means_nothing_passes_on():
    assert choose(OURS, "fr", "de", "it") == "fr"
    assert choose(OURS, "undefined", "de", "it") == "de"
    assert choose(OURS, None, "", "it;q=0.1") == "it"
    assert choose(OURS, None, None, None) == "en"
    assert choose(OURS) == "en"


def test_a_language_added_by_the_operator_is_found():
    assert choose([*OURS, "ja"], "ja-JP") == "ja"
    assert choose([*OURS, "pt"], "pt-PT") == "pt"
    assert choose([*OURS, "pt"], "pt-BR") == "pt-BR"


TAGS = st.sampled_from([*OURS, "ja", "ko-KR", "de-AT", "fr_CA", "*"])
WEIGHTS = st.sampled_from(["", ";q=0", ";q=0.2", "; q=0.75", ";q=1", ";q=9", ";x"])
LISTS = st.lists(st.tuples(TAGS, WEIGHTS).map("".join)).map(",".join)


@given(st.lists(st.one_of(st.none(), LISTS, st.text())))
@example([",;q=1,-,--,a-,-a,;;"])
@example(["de-" * 10_000])
@example(["," * 100_000])
@example(["a" * 100_000])
def test_whatever_is_wished_for_one_of_ours_is_given(wishes):
    assert choose(OURS, *wishes) in OURS


@given(st.lists(st.tuples(st.sampled_from(OURS), st.integers(1, 1000)), min_size=1, max_size=8))
def test_the_greatest_weight_wins_and_of_equals_the_first(weighted):
    wish = ", ".join(f"{tag};q={weight / 1000:.3f}" for tag, weight in weighted)
    greatest = max(weight for _, weight in weighted)
    assert choose(OURS, wish) == next(tag for tag, weight in weighted if weight == greatest)


@given(st.sampled_from(OURS), st.lists(st.from_regex(r"\A[a-z0-9]{2,8}\Z"), max_size=4))
def test_a_longer_tag_falls_back_to_the_one_it_begins_with(tag, more):
    assert choose(OURS, "-".join([tag, *more])) == tag
