"""Units of measure: what a unit is called, and by how much two of one kind differ."""

from fractions import Fraction

from hfclean.text.words import word_set

# Units of one kind, and by how much two of them differ.
CONVERSIONS = tuple(
    (word_set(units), frozenset(Fraction(factor) for factor in factors.split()))
    for units, factors in (
        (
            "sec second min minute hr hour h day week month year",
            "60 3600 24 1440 86400 7 168 12 30 31 52 365 366 10 100",
        ),
        ("mm cm m meter metre km kilometer kilometre", "10 100 1000 100000 1000000"),
        ("inche inch in foot feet ft yard yd mile mi", "12 3 36 1760 5280 144 9"),
        ("mg g gram kg kilogram ton tonne ml l liter litre", "1000 1000000"),
        ("oz ounce lb pound cup pint quart gallon tablespoon teaspoon tbsp tsp", "2 3 4 8 16 128 32 2000"),
        ("cent ¢ pence penny dollar pound euro", "100"),
        ("hundred thousand million billion trillion k dozen", "12 100 1000 1000000 1000000000 1000000000000"),
        ("kb mb gb tb kib mib gib tib byte bit", "8 1000 1024 1000000 1048576"),
        ("bp bps", "10000"),
    )
)


def unit_name(word: str) -> str:
    """A unit without what differs between its forms."""
    if word.startswith("\\"):
        word = word[word.index("{") + 1 : -1].strip()
    return word.casefold().rstrip("s.")


def factors(unit: str) -> frozenset[Fraction]:
    """By how much a unit may differ from others of its kind; empty where it is not known as one."""
    name = unit_name(unit)
    return frozenset(factor for names, known in CONVERSIONS if name in names for factor in known)
