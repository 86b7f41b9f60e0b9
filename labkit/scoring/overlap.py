"""Scorers for how much of a reference is in an answer: normalised match, token F1, ROUGE-L.

They compare words, not meaning: "not good" shares half its words with "good". Texts are compared after
Unicode normalisation (NFKC), without case, punctuation and, if asked, English articles.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable

from labkit.records import Generation, Sample
from labkit.scoring.matching import NothingToCompare, answer_text, explained, target_texts
from labkit.scoring.recipe import built_in
from labkit.scoring.scorer import Scorer, Value
from labkit.scoring.whole_words import WITHOUT_BLANKS

ARTICLES = frozenset({"a", "an", "the"})
MAX_CHARACTERS = 100_000

# A word, or a single character of a script that is written without blanks (Han, kana, Thai, …).
_TOKEN = re.compile(rf"[{WITHOUT_BLANKS}]|[^\W_]+")


def words(text: str, *, articles: bool = True) -> list[str]:
    """The words of `text`, normalised; `articles=False` leaves out a, an and the beside other words.

    >>> words("The café’s  MENU!", articles=False)
    ['cafés', 'menu']
    """
    plain = unicodedata.normalize("NFKC", text).casefold().replace("'", "").replace("’", "")
    found = _TOKEN.findall(plain)
    # A text that is an article alone is more likely choice "A".
    return found if articles else [word for word in found if word not in ARTICLES] or found


@built_in
def normalised(
    target: str = "target", *, articles: bool = False, name: str = "normalised", step: str | None = None
) -> Scorer:
    """1 where answer and target have the same words in the same order, else 0.

    Case, punctuation, spacing and English articles (unless `articles`) do not count.

    >>> normalised("label").columns
    ('label',)
    """
    return _compared(name, target, articles, lambda one, two: float(one == two), step)


@built_in
def token_f1(
    target: str = "target", *, articles: bool = False, name: str = "token_f1", step: str | None = None
) -> Scorer:
    """The F1 of shared words (SQuAD's; Rajpurkar et al. 2016), from 0 to 1; the best of several targets.

    >>> token_f1()
    Scorer('token_f1')
    """
    return _compared(name, target, articles, f1, step)


@built_in
def rouge_l(
    target: str = "target", *, articles: bool = True, name: str = "rouge_l", step: str | None = None
) -> Scorer:
    """ROUGE-L's F measure (Lin 2004), from 0 to 1: the longest common subsequence of words, no stemming.

    >>> rouge_l()
    Scorer('rouge_l')
    """

    def measure(one: list[str], two: list[str]) -> float:
        return _harmonic(longest_common(one, two), len(one), len(two))

    return _compared(name, target, articles, measure, step)


def f1(one: list[str], two: list[str]) -> float:
    """The F1 of the words that two texts share, each as often as both have it.

    >>> f1(["a", "b", "b"], ["b", "c"])
    0.4
    """
    return _harmonic(sum((Counter(one) & Counter(two)).values()), len(one), len(two))


def longest_common(one: list[str], two: list[str]) -> int:
    """The length of the longest common subsequence, bit-parallel (Hyyrö 2004).

    >>> longest_common("the cat sat on".split(), "the dog sat on".split())
    3
    """
    places: dict[str, int] = {}
    for place, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << place
    full = (1 << len(one)) - 1
    row = full
    for word in two:
        step = row & places.get(word, 0)
        row = ((row + step) | (row - step)) & full
    return len(one) - row.bit_count()


def _harmonic(shared: int, one: int, two: int) -> float:
    return 2 * shared / (one + two) if shared else 0.0


def _compared(
    name: str,
    target: str,
    articles: bool,
    measure: Callable[[list[str], list[str]], float],
    step: str | None,
) -> Scorer:
    def compare(generation: Generation, sample: Sample) -> Value:
        answer = answer_text(generation)
        if len(answer) > MAX_CHARACTERS:
            raise NothingToCompare(
                f"the answer has {len(answer):,} characters; at most {MAX_CHARACTERS:,} are read"
            )
        wanted = [words(text, articles=articles) for text in target_texts(sample, target)]
        if not all(wanted):
            raise NothingToCompare(f"sample {sample.id} has a {target!r} without words")
        said = words(answer, articles=articles)
        return max(measure(said, one) for one in wanted)

    return Scorer(name, explained(compare), (target,), low=0, high=1, of_step=step)
