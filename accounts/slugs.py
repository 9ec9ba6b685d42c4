"""Short ASCII names for addresses, made from names in any script; Hangul is romanised: 정문 becomes jeongmun."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.text import slugify

LONGEST = 50
FIRST_SYLLABLE, SYLLABLES = 0xAC00, 11_172
# In the order in which Unicode composes syllables; a blank is silent. As lists they would fill a page.
INITIALS = "g,kk,n,d,tt,r,m,b,pp,s,ss,,j,jj,ch,k,t,p,h".split(",")  # noqa: SIM905
VOWELS = "a,ae,ya,yae,eo,e,yeo,ye,o,wa,wae,oe,yo,u,wo,we,wi,yu,eu,ui,i".split(",")  # noqa: SIM905
FINALS = ",k,k,ks,n,nj,nh,t,l,lk,lm,lb,ls,lt,lp,lh,m,p,ps,t,t,ng,t,t,k,t,p,t".split(",")  # noqa: SIM905


def romanise(text: str) -> str:
    """Replaces every Hangul syllable, letter by letter and without the sound changes between syllables."""
    return "".join(_syllable(character) for character in text)


def _syllable(character: str) -> str:
    index = ord(character) - FIRST_SYLLABLE
    if not 0 <= index < SYLLABLES:
        return character
    rest, final = divmod(index, len(FINALS))
    initial, vowel = divmod(rest, len(VOWELS))
    return INITIALS[initial] + VOWELS[vowel] + FINALS[final]


def free_slug(name: str, *, fallback: str, is_taken: Callable[[str], bool]) -> str:
    """The name's slug (or the fallback, where nothing of the name is left), numbered from 2 when it is taken."""
    base = slugify(romanise(name))[:LONGEST].strip("-_") or fallback
    slug, number = base, 1
    while is_taken(slug):
        number += 1
        slug = f"{base}-{number}"
    return slug
