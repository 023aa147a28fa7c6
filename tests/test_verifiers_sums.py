"""Wrong sums, broken orders and broken stacks of brackets: what is found, and what is left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfclean import verify
from hfclean.schema import Pair
from hfclean.verifiers import VERIFIERS, Finding
from hfclean.verifiers.orders import find_broken_brackets, find_broken_orders
from hfclean.verifiers.sums import find_wrong_sums

# text of the response, the line, what stands there, what would be right
WRONG = [
    ("3 + 4 = 8", 0, "8", "7"),
    ("3 kg + 4 kg = (8 kg)", 0, "(8 kg)", "7"),
    ("3kg + 4kg = 8kg", 0, "8", "7"),
    ("The total is 3 + 4 = 8.", 0, "8", "7"),
    ("3 + 4 = 8 then a boat comes", 0, "8", "7"),
    ("50% + 10% = 30% + 20%", 0, "30% + 20%", "0.6"),
    ("3 plus 4 equals 8", 0, "8", "7"),
    ("3 plus 4 is equal to 8", 0, "8", "7"),
    ("12 minus 5 equals 8 apples.", 0, "8", "7"),
    ("3 times 4 = 15", 0, "15", "12"),
    ("3 multiplied by 4 = 15", 0, "15", "12"),
    ("20 divided by 4 = 6", 0, "6", "5"),
    ("2 x 3 = 7", 0, "7", "6"),
    ("4x3 = 11", 0, "11", "12"),
    ("4 X 3 = 11", 0, "11", "12"),
    ("6 × 7 = 43", 0, "43", "42"),
    ("6 · 7 = 43", 0, "43", "42"),
    ("6 ∗ 7 = 43", 0, "43", "42"),
    ("84 ÷ 2 = 41", 0, "41", "42"),
    ("84 / 2 = 41", 0, "41", "42"),
    ("50 − 8 = 43", 0, "43", "42"),
    ("50 – 8 = 43", 0, "43", "42"),
    ("3 \\* 4 = 13", 0, "13", "12"),
    ("3 * 4 = **13**", 0, "13", "12"),
    ("2^3 = 9", 0, "9", "8"),
    ("2**3 = 9", 0, "9", "8"),
    ("3² + 4² = 26", 0, "26", "25"),
    ("2³ = 9", 0, "9", "8"),
    ("(1 + 2) * 3 = 10", 0, "10", "9"),
    ("[(1 + 2) * 3] - 1 = 9", 0, "9", "8"),
    ("2(3 + 4) = 15", 0, "15", "14"),
    ("(2)(7) = 15", 0, "15", "14"),
    ("-3 + 4 = 2", 0, "2", "1"),
    ("So -3 + 4 = 2", 0, "2", "1"),
    ("5 - -3 = 2", 0, "2", "8"),
    ("2 * -3 = 6", 0, "6", "-6"),
    ("2^-1 = 0.4", 0, "0.4", "0.5"),
    ("√16 + 1 = 6", 0, "6", "5"),
    ("sqrt(2) = 1.42", 0, "1.42", "1.41"),
    ("5! = 125", 0, "125", "120"),
    ("1 1/2 + 1/2 = 3", 0, "3", "2"),
    ("1/2 + 1/4 = 2/6", 0, "2/6", "0.75"),
    ("1/6 x 1/52 = 1/300", 0, "1/300", "0.00"),
    ("$5.50 + $2.25 = $7.85", 0, "7.85", "7.75"),
    ("€5 + €2 = €8", 0, "8", "7"),
    ("1,200 + 300 = 1,600", 0, "1,600", "1500"),
    ("1,20,000 + 10,000 = 1,40,000", 0, "1,40,000", "130000"),
    ("1,5 + 2,5 = 5,0", 0, "5,0", "4"),
    ("20% of 50 = 15", 0, "15", "10"),
    ("100 - 20% = 70", 0, "70", "80"),
    ("15 / 60 = 30%", 0, "30%", "25%"),
    ("20% + 30% = 60%", 0, "60%", "50%"),
    ("10 / 4 = 2.6", 0, "2.6", "2.5"),
    ("10 / 3 = 3.4", 0, "3.4", "3.33"),
    ("10 / 3 ≈ 4.3", 0, "4.3", "3.33"),
    ("28 / 4 = 8", 0, "8", "7"),
    ("2.5 + 2.5 = 5.1", 0, "5.1", "5"),
    ("150 x 1.07 = 159.5", 0, "159.5", "160.5"),
    ("3 apples + 4 apples = 8 apples", 0, "8", "7"),
    ("5 kg + 3 kg = 9 kg", 0, "9", "8"),
    ("5kg + 3kg = 9kg", 0, "9", "8"),
    ("4 boxes x 3 = 11", 0, "11", "12"),
    ("0.1 + 0.2 = 0.4", 0, "0.4", "0.3"),
    ("15 = 3 * 4", 0, "15", "12"),
    ("So 15 = 3 * 4", 0, "15", "12"),
    ("2 + 3 = 5 = 3 * 2", 0, "3 * 2", "5"),
    ("A = (1 + 2) = 4", 0, "4", "3"),
    ("A = (7 + 5 + 2) = (7 + 5 + 2) = (14 + 2) = 16", 0, "(14 + 2)", "14"),
    ("x = 2 * 3 = 7, so", 0, "7", "6"),
    ("First, 1 + 1 = 2, then 2 + 2 = 5.", 0, "5", "4"),
    ("1 + 1 = 2\n2 + 2 = 4\n\n3 + 3 = 7", 3, "7", "6"),
    ("Total\n= (24 * 3) + 8\n= 72 + 8\n= $90", 3, "90", "80"),
    ("3 + 4\n= 8", 1, "8", "7"),
    ("3 + 4\n\n= 8", 2, "8", "7"),
    ("- 2 * 3 = 7", 0, "7", "-6"),
    ("* 2 * 3 = 7", 0, "7", "6"),
    ("1. 3 + 4 = 8", 0, "8", "7"),
    ("1) 3 + 4 = 8", 0, "8", "7"),
    ("(2) 3 + 4 = 8", 0, "8", "7"),
    ("a) 3 + 4 = 8", 0, "8", "7"),
    ("| 3 + 4 = 8 |", 0, "8", "7"),
    ("`3 + 4 = 8`", 0, "8", "7"),
    ("```\n# 3 + 4 = 8\n```", 1, "8", "7"),
    ("=> 3 + 4 = 8", 0, "8", "7"),
    ("9 (since 3 + 4 = 8)", 0, "8", "7"),
    ("3 + 4 = 8 (as we saw)", 0, "8", "7"),
    ('"3 + 4 = 8"', 0, "8", "7"),
    ('He wrote:\n"3 + 4 = 8"\nand left.', 1, "8", "7"),
    ('It is 3 + 4 = 8"', 0, "8", "7"),
    ("1 + 1 = 3", 0, "3", "2"),
    ("So 1 + 1 = 4.", 0, "4", "2"),
    ("We like it: so 3 + 4 = 8", 0, "8", "7"),
    ("$3 + 4 = 8$", 0, "8", "7"),
    ("\\(3 \\times 4 = 13\\)", 0, "13", "12"),
    ("\\[ \\frac{1}{2} + \\frac{1}{4} = \\frac{2}{6} \\]", 0, "\\frac{2}{6}", "0.75"),
    ("\\begin{aligned} 3 \\cdot 4 &= 13 \\end{aligned}", 0, "13", "12"),
    ("$$\\left(1 + 2\\right) \\div 3 = \\boxed{2}$$", 0, "{2}", "1"),
    ("\\sqrt{9} + 1 = 5", 0, "5", "4"),
    ("3 \\text{ apples} + 4 \\text{ apples} = 8 \\text{ apples}", 0, "8", "7"),
    ("2^{3} \\approx 10", 0, "10", "8"),
    ("the sum of 6 + 4 = 14", 0, "14", "10"),
    ("3 + 4 = 8!", 0, "8!", "7"),
    ("3 + 4 = 8 and 1 + 1 = 2", 0, "8", "7"),
    ("A = 2 + 3 = 5.\nB = 1 + 1 = 2.\nA + B = 4 + 2 = 6", 2, "4 + 2", "7"),
    ("A = 2 + 3 = 5.\nB = 1 + 1 = 2.\n2 * A + B = 2 * 4 + 2", 2, "2 * 4 + 2", "12"),
    ("A = 2 + 3 = 5.\nB = 1 + 1 = 2.\nA + B = -5 + 2", 2, "-5 + 2", "7"),
    ("A = 2 + 3 = 5.\nB = 1 + 1 = 2.\nA + A = 5 + 5 = 10\nA + B = 4 + 2", 3, "4 + 2", "7"),
    ("A = 20 * 20 = 400.\nB = 1 + 4 = 5.\nA * B = 401 * 5", 2, "401 * 5", "2000"),
    ("3 m^2 + 4 m^2 = 8 m^2", 0, "8", "7"),
    ("33.3% + 12.5% = 50%", 0, "50%", "45.8%"),
    ("3 cm^{2} + 4 cm^{2} = 8 cm^{2}", 0, "8", "7"),
    ("✅ 3 + 4 = 8", 0, "8", "7"),
    ("USD 5 + USD 3 = USD 9", 0, "9", "8"),
    ("2 * 60 = 3 hours", 0, "3", "120"),
    ("9 - 5 = 8", 0, "8", "4"),
    ("9-5=8", 0, "8", "4"),
    ("Intro: 1 + 1\n3 + 4\n= 8", 2, "8", "7"),
    ("Intro\n\n1 + 1\n\n= 3", 4, "3", "2"),
    ("That is wrong.\n3 + 4 = 8", 1, "8", "7"),
    ("3 + 4 = 8\n\nThat is not all.", 0, "8", "7"),
    ("3 + 4 = 7 apples = 8 apples", 0, "8", "7"),
    ("3 + 4 = 8 ✅", 0, "8", "7"),
    ("3 + 4 = 8 apples and pears", 0, "8", "7"),
    ("3 + 4 = 8 apples for 2 people", 0, "8", "7"),
    ("3 + 4 = 8 and another", 0, "8", "7"),
    ("(-3 + 4 = 2)", 0, "2", "1"),
    ("Sum: 3 + 4 = 8", 0, "8", "7"),
    ("Sum: -3 + 4 = 2", 0, "2", "1"),
    ("3 \\text{apples} + 4 \\text{ apple } = 8 \\text{apples}", 0, "8", "7"),
    ("(" * 30 + "1" + ")" * 30 + " + 1 = 3", 0, "3", "2"),
    (" + ".join(["(1)"] * 40) + " = 41", 0, "41", "40"),
    ("√(1/4) + 1 = 2.5", 0, "2.5", "1.5"),
    ("√0 + 1 = 2", 0, "2", "1"),
    ("10 * 2 ≈ 18", 0, "18", "20"),
    ("1 hour + 1 hour = 120 hours", 0, "120", "2"),
    ("5 * 12 = 5 apples", 0, "5", "60"),
    ("10 / 3 = 3.3333333334", 0, "3.3333333334", "3.3333333333"),
    ("1.5 * 400 = 603.1", 0, "603.1", "600"),
    ("1.111 + 1.111 = 2.224", 0, "2.224", "2.222"),
    ("√(0.5) = 0.8", 0, "0.8", "0.71"),
    ("1.2 × 10^5 = 130,000", 0, "130,000", "120000"),
    ("124,000 × 1 = 1.3 × 10^5", 0, "1.3 × 10^5", "124000"),
    ("2.5 * 4 = 10.4", 0, "10.4", "10"),
    ("F = 10 * 9.8 = 99 N", 0, "99", "98"),
    ("1/3 = 0.34", 0, "0.34", "0.33"),
    ("(80 + 85) / 2 = 85%", 0, "85%", "8250%"),
    ("3 + 4 = 8，所以", 0, "8", "7"),
    ("12.99 + 5.49 = 18.38", 0, "18.38", "18.48"),
    ("2 ^ 3 = 9", 0, "9", "8"),
    ("1 + 2 + 6 / 3 = 4", 0, "4", "5"),
    ("148 * 36 = 5329 in base 10", 0, "5329", "5328"),
    ("$5 - $8 = $3", 0, "3", "-3"),
    ("(2) -3 + 5 = 3", 0, "3", "4"),
    ("2 * 60 = 0 hours", 0, "0", "120"),
    ('The line "3 + 4 = 8 made him famous.', 0, "8", "7"),
    ("v.5 + 3 = 9", 0, "9", "8"),
    ("5 apples - 3 apples = 3 apples", 0, "3", "2"),
    ("A = 2 * 3 = 6.\nB = 1 + 4 = 5.\nA * B = 6 * 5 = 30\nB * B = 5 * 5 = 30", 3, "30", "25"),
    ("A = 2 * 3 = 6.\nB = 1 + 1 = 2.\nA = 10.\nB + 1 = 1 + 1 = 2\nA * B = 6 * 3 = 19", 4, "19", "18"),
]

SILENT = [
    "3 + 4 = 8 q",
    "",
    "3 + 4 = 7",
    "x = 5",
    "x + 3 = 8",
    "y - 3 + 4 = 8",
    "2x + 4 = 20",
    "3x = 6 = 7",
    "f(2) = 3 + 4 = 7",
    "log 3 + 4 = 8",
    "\\ln 3 + 4 = 8",
    "f(3 * 2) = 12",
    "arr[3 + 4] = 8",
    "g(3) = 12",
    "half of 3 + 5 = 4",
    "the average of 3 + 5 = 4",
    "2, 5 and 8 + 1 = 16",
    "from 3 + 4 = 8",
    "3 + 4 == 8",
    "3 + 4 != 8",
    "3 + 4 >= 8",
    "x += 3 + 4 = 8",
    "3 + 4 ≠ 8",
    "3 + 4 => 8",
    "7 % 3 = 2",
    "7 // 2 = 4",
    "7 mod 3 = 2",
    "7 / 2 = 3 R 1",
    "7 / 2 = 3 remainder 1",
    "7 - 2 = 3 R 1",
    "3:45 + 1 = 5",
    "3 : 4 + 2 = 5",
    "12:30 + 0:45 = 13:15",
    "2010–2015 = 6",
    "2010-2015 = 5 years",
    "0x10 + 0x01 = 17",
    "2e3 + 1 = 3",
    "1.2.3 + 1 = 4",
    "101 + 11 = 1000",
    "1 + 1 = 10",
    "10 / 3 = 3.33",
    "10 / 3 = 3.3",
    "10 / 3 = 3",
    "11 / 3 = 4",
    "11 / 4 = 3 buses",
    "2 / 3 = 0.66",
    "2 / 3 = 0.67",
    "10/3 = 3.33 = 3.3",
    "3.33 = 10 / 3",
    "3.33 * 3 = 10",
    "3.33 x 3 = 10",
    "33.3 + 33.3 + 33.3 = 100",
    "2.54 * 12 = 30.5",
    "10/3 + 2 = 3.33 + 2 = 5.33",
    "√2 = 1.414",
    "√2 * √2 = 2",
    "√2 = 1.41421356",
    "22 / 7 ≈ 3.1",
    "10 / 3 \\approx 3.4",
    "5 + 3 = 8 + 2 = 10",
    "10 / 3 = 3.3 * 2 = 6.6",
    "- 3 + 4 = 7",
    "- 3 + 4 = 1",
    "1. 3 + 4 = 7",
    "1.3 + 4 = 7",
    "1)3 + 4 = 7",
    "0.15 * 100 = 15%",
    "15 / 100 = 15%",
    "3 / 20 * 100 = 15%",
    "1/8 = 12.5%",
    "1/3 = 33%",
    "20% of 50 = 10",
    "100 - 20% = 80",
    "100 + 7% = 107",
    "20% + 30% = 50%",
    "20 percent of 50 = 10",
    "-3^2 = 9",
    "-3^2 = -9",
    "8 / 2(4) = 16",
    "8 / 2(4) = 1",
    "1 1/2 + 1 = 2.5",
    "5! = 120",
    "2 + 3 = 5!",
    "1,5 + 2,5 = 4",
    "1.000 + 2.000 = 3.000",
    "1.500 + 1 = 1.501",
    "1.500 + 1 = 1501",
    "1.234.567 + 1 = 1.234.568",
    "1,234 + 1 = 2,234",
    "1,20,000 + 1 = 1,20,001",
    "(1,2) · (3,4) = 11",
    "1 000 + 2 000 = 4 000",
    "2 × 500 = 1 thousand",
    "2 × 500 thousand = 1 million",
    "2.5 × 4 = 10 million",
    "2 x 6 = 1 dozen",
    "3 hours * 60 = 180 minutes",
    "3 * 60 = 3 hours",
    "90 + 30 = 2 hours",
    "90 + 30 = 1 hour 60 minutes",
    "2 hours = 120",
    "50 cents * 4 = $2",
    "$1 + 50 cents = $1.50",
    "$1 + 50¢ = $1.50",
    "3 kg + 500 g = 3.5 kg",
    "2 feet + 6 inches = 30 inches",
    "5 boxes × 12 eggs = 61",
    "5 m × 4 m = 21 m",
    "1 hour + 30 minutes = 90 minutes",
    "500 milliliters = 0.5 liters",
    "3m + 4 = 10",
    "60 km/h * 2 = 120 km",
    "52 + 122 = 169",
    "1000 × 1.0510 ≈ 1,628.89",
    "(x - 1)2 + (y + 2)2 = 25",
    "|3 - 5| = 2",
    "(1/2)*|(2*4) - 20| = 8",
    "3 + 4 = 7 more than 1",
    "3 * 4 = 6 times 2",
    "3 + 4 = 8 or 7",
    "3 + 4 = 8?",
    "Is 3 + 4 = 8?",
    "3 + 4 = ?",
    "3 + 4 = ____",
    "3 + 4 = 7x",
    "3 + 4 = 7th",
    "3 + 4 = a",
    "3 + 4 = about 8",
    "3 + 4 = ~8",
    "3 + 4 = 8 is wrong.",
    "3 + 4 = 8 is not right.",
    "It isn't 3 + 4 = 8",
    "❌ 3 + 4 = 8",
    "3 + 4 = 8. Wait, that should be 7.",
    "3 + 4 = 8.\nOops, 7.",
    "If 3 + 4 = 8, then",
    "Suppose 3 + 4 = 8.",
    "Side 1 + Side 2 + Side 3\n= 4 + 6 + 8 = 18",
    "the total weight (8 kg)\n= 3.2 kg / 8 kg = 0.4",
    "256^(1/4) = (2^8)^(1/4)   [since 256 = 2^8]\n= 2^(8/4)\n= 4",
    "22 / 2 = 11 11 / 11 = 1",
    "3 + 4 =\n5 + 6 =\n",
    "3 + 4 = 7\n5 + 6 = 11",
    "Step 2 (3 + 4) = 7",
    "20 / 0 = 5",
    "\\frac{1}{0} = 5",
    "0^0 = 5",
    "√(0 - 4) = 2",
    "2^2^3 = 64",
    "2^100 = 5",
    "2^0.5 = 7",
    "101! = 5",
    "2.5! = 5",
    "3 + (4 = 8",
    "3 + 4) = 8",
    "(3 + 4] = 8",
    "3 + = 8",
    "3 * / 4 = 8",
    "3 ± 4 = 8",
    "http://x.org/?a=3+4=8",
    "WHERE 1=1 AND 3=4",
    "5 = 3",
    "London codes = 0171 became 020 7",
    "The number 5 is 3, therefore - 3 + 4 = 8",
    "total - 3 + 4 = 8",
    "x1 + 3 + 4 = 8",
    "Count them..5 + 3 = 8",
    "1.234 + 2.5 = 1236.5",
    "'+ 3 + 4 = 8",
    "1 + 2 + ... + 10 = 55",
    "1 = 1 + 0",
    "3 + 4 apples = 7 apples",
    "A = 2 + 3 = 5.\nA + 5 = 20",
    "A = 2 + 3 = 5.\nA = 4 + 3 = 7",
    "A = 2 + 3 = 5\nA + 2 = 5 + 2 = 7",
    "10 - 3 = 7 - correct!",
    "2x(3+4) = 15",
    "3 x y = 8",
    "2 x -3 = 7",
    "+ 3 + 4 = 7",
    "Monday, 9-5 = 8 hours",
    "(" * 31 + "1" + ")" * 31 + " + 1 = 3",
    "3 + 4 = = 8",
    "10 * 2 ≈ 19",
    "1 / 8 = 0.13",
    "10 / 3 = 4",
    "1000 / 3 = 333.3333333334",
    "√2 * √2 = 1 * 2",
    "2 * 1 = 120 minutes",
    "1.5 * 400 = 603.0",
    "33.3 + 33.3 + 33.3 = 100.0",
    "2.5 + 2 = 4",
    "34 + 54 = 88%",
    "0.15 * 100% = 15",
    "3 + 4 = 8 ∈ N",
    "3 + 4 = 8✅",
    "3 + 4 = 8 ~ 9",
    "3 + 4 = 8 and a half",
    "3 * 4 = 10 and remainder 2",
    "7 - 2 = 3 packs and 2 left",
    "7 - 2 = 3 packs with 2 left",
    "x| -3 + 4 = 2",
    "\\alpha 3 + 4 = 8",
    "total -3 + 4 = 8",
    '("3 + 4 = 8")?',
    "124,000 × 1 = 1.2 × 10^{5}",
    "1 / 81,234 = 1.23 × 10^(-5)",
    "pages 10-15 = 6 pages",
    "2010-2015=5",
    "10 / 3 = 3.3333333333333335",
    "0.1 + 0.2 = 0.30000000000000004",
    "123,987 × 1 = 1.2 × 10^5",
    "(80 + 85) / 2 = 82%",
    "(80 + 85) / 2 = 82.5%",
    "5 ^ 3 = 6",
    "85 + 90 + 95 / 3 = 90",
    "$5 - $8 = ($3)",
    "(2) -3 + 5 = 2",
    "1'000 + 500 = 1'500",
    "1_000 + 500 = 1_500",
    "8 + 8 = 4 on a clock",
    "8 + 8 = 4 (mod 12)",
    "48 × 52 = 2,500, rounded",
    "True or false: 3 + 4 = 8",
    "12 ÷ 5 = 2.4 = 2 remainder 2",
    "12 ÷ 5 = 2.4 = 2 2/5",
    "π × 5² = 78.5",
    "3 &times; 4 = 13",
    "(a) 3 + 4 = 7 (b) 5 + 6 = 11",
    "[1 2] + [3 4] = [4 6]",
    "[1, 2] + [3, 4] = [4, 6]",
    "2H2 + O2 = 2H2O",
    "Fine: 1 in 4 = 25%",
    "half of 80 + 2 = 42",
    "A = 2 * 3 = 6.\nB = 1 + 1 = 2.\nA = 10.\nA * B = 10 * 2 = 20",
    "A = 2 * 3 = 6. A * 2 = 10 * 2 = 20",
    "A = 2 * 3 = 6 and B = 1 + 1 = 2.\nA + B + 1 = 20",
    "A = 2 * 3 = 6 and B = 1 + 1 = 2.\nA + B = 8",
    "x^2 = 3 * 4 = 12",
    "A = 2 * 3 = 6.\nA + 2 = 10 * 2 = 20",
    "1 + 1 = √2 * √2",
    "3 + 4 = (7 = 7",
    "k 3 + 4 = 8",
    "Sum: - 3 + 4 = 8",
    "100 + 7% = 100.07",
    "v.0x10 + 1 = 3",
    "v.2024-01-02 - 1 = 3",
    "3 + 4 = 7 // 2 = 3 + 5",
    "10 - 5 = 5 - 2 = 3",
    "2 x(3+4) = 15",
    "0 * 5 = 0 = 5 * 0",
]


@pytest.mark.parametrize(("text", "line", "found", "expected"), WRONG)
def test_a_wrong_sum_is_found_where_it_stands(text: str, line: int, found: str, expected: str) -> None:
    findings = find_wrong_sums(Pair("Work it out.", "", text))
    assert [(finding.line, finding.found, finding.expected) for finding in findings] == [(line, found, expected)]


@pytest.mark.parametrize("text", SILENT)
def test_nothing_is_said_of_what_may_be_right(text: str) -> None:
    assert find_wrong_sums(Pair("Work it out.", "", text)) == []


# Sums that are somebody else's, corrected in the same text, or read in another way than from left to right.
QUOTED = [
    "You wrote 7 × 8 = 54, which is not far off.",
    "Many pupils answer 1/2 + 1/3 = 2/5, adding tops and bottoms.",
    "Your working shows 12 + 19 = 21.",
    "Winston is told that 2 + 2 = 5.",
    "Anna rechnet 7 · 8 = 54.",
    "Das stimmt nicht: 7 · 8 = 54.",
    "2 + 2 = 5 is a slogan of Orwell's.",
    "We live by 1+1=3 here.",
    "Two heads make 1 + 1 = 11.",
    "A marriage is like 3 + 4 = 8.",
    "The idea that 3 + 4 = 8 is old.",
    "It is a case of: 3 + 4 = 8",
    "Such beliefs, as in 2 + 3 = 6, die hard.",
    'The line "3 + 4 = 8" made him famous.',
    "Er nannte es „3 + 4 = 8“.",
    "Teamwork makes 2 + 2 = 5.",
    "Student A: 3 + 4 = 8\nStudent B: 3 + 4 = 7",
    "Which one?\nA) 3 + 5 = 9\nB) 3 + 5 = 8\nC) 3 + 5 = 7",
    "| 3 + 4 = 8 | no |\n| 3 plus 4 = 7 | yes |",
    "First attempt:\n14 + 9 = 22\n\nOnce more.\n14+9 = 23",
    "5 × 6 = 35 (too high)",
    "<del>14 + 9 = 22</del> 23",
    "If it were true that 2 + 2 = 5, all would follow.",
    "7 + 8 = 5, carry the 1",
    "Ones: 7 + 8 = 5 (carry 1)",
    "2 - 9 = 3 (borrow)",
    "In $\\mathbb{Z}_5$: $3 + 4 = 2$.",
    "In Z_7 we have 3 + 5 = 1.",
    "In GF(2), 1 + 1 = 0.",
    "3 * 5 = 16, where a * b = ab + 1",
    "10 + 5 * 2 = 30 from left to right",
    "2024-12-31 - 2024-01-01 = 365 days",
    "10-6-1 = 21 points",
    "1 - 2 = 1 star; 3 - 4 = 2 stars",
    "Loss = $50 - $80 = $30",
    "1 - 3 + 4 = 7",
    "Step 1 - 3 + 4 = 7",
    "2 - 10 x 5 = 50",
    "3 × 10^8 / 5 × 10^14 = 6 × 10^-7",
    "3 × 10^8 / 500 × 10^-9 = 6 × 10^14",
    "$1\\frac{1}{2} + \\frac{1}{2} = 2$",
    "15/4 = 3-3/4",
    "4 out of 5 = 80%",
    "3 of 12 = 25%",
    "double 5 + 1 = 11",
    "2^10 = 1024 = 1 KiB",
    "30 bps + 20 bps = 0.5%",
]


@pytest.mark.parametrize("text", QUOTED)
def test_a_sum_that_is_quoted_corrected_or_of_another_kind_is_left_alone(text: str) -> None:
    assert find_wrong_sums(Pair("Work it out.", "", text)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We wrote 3 + 4 = 8", "7"),
        ("I wrote 3 + 4 = 8", "7"),
        ("<claim> 3 + 4 = 8", "7"),
        ("Tom says hello. He has 3 + 4 = 8 pens.", "7"),
        ("3 + 4 = 8, and 4 + 3 = 7", "7"),
        ("The loss is 3 + 4 = 8", "7"),
        ("Loss = $50 - $80 = $20", "-30"),
        ("5 - 8 = 3", "-3"),
        ("120 - 3 + 4 = 7", "121"),
        ("Then 1 - 3 + 4 = 7", "2"),
        ("3 × 10^8 / 5 × 10^14 = 7 × 10^-7", "6000000000000000000000"),
        ("$1\\frac{1}{2} + \\frac{1}{2} = 3$", "1"),
        ("15/4 = 3-1/4", "3.75"),
        ("4 of 5 = 70%", "2000%"),
        ("9-5 + 1 = 7", "5"),
        ("A = l * w = 3 * 4 = 13", "12"),
        ("They carry 3 × 4 = 13 boxes", "12"),
    ],
)
def test_a_sum_beside_such_words_is_found(text: str, expected: str) -> None:
    assert [finding.expected for finding in find_wrong_sums(Pair("Work it out.", "", text))] == [expected]


OTHER_INSTRUCTIONS = [
    "Add these binary numbers.",
    "What is 3 + 4 in base 5?",
    "Do it modulo 4.",
    "Solve the puzzle: 3 + 4 = 8, 5 + 6 = ?",
    "If 3 + 4 = 8 and 2 + 2 = 5, what is 1 + 1?",
    "Find the mistake.",
    "Write an incorrect sum.",
    "Which of these sums is wrong?",
    "Write a joke about sums.",
    "A new operation is defined.",
    "If a ∗ b = ab - 4, what is 3 ∗ 4?",
    "Write a quiz.",
]


@pytest.mark.parametrize("instruction", OTHER_INSTRUCTIONS)
def test_an_instruction_can_make_wrong_sums_right(instruction: str) -> None:
    assert find_wrong_sums(Pair(instruction, "", "3 + 4 = 8")) == []
    assert find_wrong_sums(Pair("Answer.", instruction, "3 + 4 = 8")) == []


# The words of each table, every one of which counts: in the place of * it leaves a wrong sum as it is.
LEAVES = [
    (
        "* 15 = 3 × 4",
        "are as be calculate compute equals evaluate get gets gives have hence is so solve then therefore thus was",
    ),
    ("The * of 6 + 4 = 14", "sum total result value expression calculation answer"),
    ("3 + 4 = 8 *", "a A C F g H h I J K l L m N P s V W ° ¢"),
    (
        "3 + 4 = 8*",
        "kg mg cm mm km ml mL lb lbs oz ft in hr hrs min mph kb mb gb tb kW kWh cents m² km² cm² m2 hours",
    ),
    (
        "3 + 4 = 8 * 2 boats",
        "a an and are as at be because but by can for from get gets give gives has have hence if in into is it makes "
        "now on since so that the then there therefore they this thus was we were when where which while will you",
    ),
    ("*5 + *3 = *9", "US$ CA$ AU$ NZ$ HK$ \\$ $ € £ ¥ ₹ Rs_ Rs. USD_ EUR_ GBP_ INR_"),
    ("3 + 4 = 8* x", ", ; : . … \" ' “ ” ’ ` → ⇒ | < > ≤ ≥ • # ， 。 ； ： 、 => -> --> \\to \\implies \\Rightarrow"),
    ("3 + \\* 4 = 8", "left right quad qquad displaystyle boxed , ; ! :"),
    ("* 3 + 4 = 8", "* • + > # 1. 12) (3) a) B. (c) - #_1."),
    ("12 kg * 3 kg = 70 kg", "+ -"),
    ("12 kg * 3 = 70", "× / ^ of"),
    ("3 + 4 * 8", "= ≈ \\approx equals equal_to is_equal_to"),
]
# With these in its place, what stands there is no wrong sum.
TURNS = [
    (
        "* 3 + 4 = 8",
        "abs and arccos arcsin arctan average avg base ceil ceiling cos cosh cot csc cube divide divided double exp "
        "factorial floor from gcd half hcf integral lcm lg lim ln log max mean median min mode modulo multiplied "
        "multiply or over per pow power quarter root sec sin sinh sqrt square std subtract tan tanh than third "
        "thrice triple twice var variance version with",
    ),
    (
        "3 + 4 = 8 * boats",
        "am apart choose cubed divided dozen factorial fewer greater less minus modulo more multiplied of or out over "
        "per plus pm point r rem remainder smaller squared than times to too with",
    ),
    ("* 1 - 3 + 4 = 7", "case day example exercise level part problem question round step task week"),
    (
        "3 + 4 = 8. Here: *",
        "wrong incorrect incorrectly inaccurate not cannot never should_be should_have false mistake mistaken "
        "mistakes error errors instead suppose supposed imagine pretend wait oops hmm actually invalid untrue "
        "typo contradicts contradiction impossible approximately roughly estimated round rounded rounding "
        "rounds nearest but_it too_high too_low too_big too_large too_small too_many too_much too_few "
        "carry_the_1 carry_a_ten carried_over_1 carrying_one borrow borrowed borrowing forgot forgetting "
        "attempt misconception slogan phrase metaphors synergy teamwork Orwell left-to-right left_to_right "
        "calculator falsch stimmt_nicht incorrecto errónea erróneo faux fausse неверно неправильно isn't "
        "isn’t ≠ \\ne \\neq ❌ ✗ ✘ ✖ 错 錯 </del> </s>",
    ),
    (
        "Tom * 3 + 4 = 8",
        "says said claims claimed claiming wrote writes written thinks believes believed argues argued insists "
        "insisted told guesses guessed typed answered work_shows working_shows students_answer pupils_write "
        "people_put children_write kids_answer many_write some_put they_answer sagt rechnet schreibt behauptet dit "
        "écrit dice escribe",
    ),
    (
        "It is * 3 + 4 = 8",
        "like as_in such_as a_case_of the_idea_that the_notion_that the_concept: the_saying a_motto a_belief "
        "principles_that",
    ),
    (
        "The * is 5 - 8 = 3",
        "loss lost deficit debt owe owes shortfall difference decrease drop dropped distance apart",
    ),
    ("So * 3 + 4 = 8", "if suppose assume let when say if_it_were_true_that when_it_was_true_that if_it_is_true_that"),
    ("3 * 4 = 8", "!= <> += -= ~ // ++ =~ =< \\pm \\mp \\ne \\bmod \\mod \\pmod @ & ..."),
]
# And below an instruction that holds one of these.
RULES = """
binary|hex|hexadecimal|octal|base 5|base-2|base2|modulo|modular|modulus|mod|clock|boolean|bitwise|xor|roman|mathbb{Z}|
mathbb{F}|mathbbZ|Z_5|F_{5}|GF(2|left-to-right|left to right|puzzle|riddle|cryptarithm|alphametics|cipher|incorrect|
incorrectly|wrong|wrongly|false|mistake|error|true or|quiz|quizzes|joke|nonsense|define|defines|defined|tropical|
paradox|fallacy|debug|multiple-choice|multiple choice|where a * b =|if a*b=|let a @ b =|that x # y =|by a ⊕ b =|
as a ★ b =|operation a ∗ b =|operator *|operation @
"""


def wrong(text: str, instruction: str = "Work it out.") -> bool:
    return find_wrong_sums(Pair(instruction, "", text)) != []


@pytest.mark.parametrize(("template", "words"), LEAVES)
def test_each_of_these_words_leaves_a_sum_as_it_is(template: str, words: str) -> None:
    spelled = [word.replace("_", " ") for word in words.split()]
    assert [word for word in spelled if not wrong(template.replace("*", word))] == []


@pytest.mark.parametrize(("template", "words"), TURNS)
def test_each_of_these_words_makes_a_sum_something_else(template: str, words: str) -> None:
    assert wrong(template.replace("*", "+" if "* 4" in template else "so"))
    spelled = [word.replace("_", " ") for word in words.split()]
    assert [word for word in spelled if wrong(template.replace("*", word))] == []


def test_each_of_these_words_of_an_instruction_makes_sums_something_else() -> None:
    assert wrong("3 + 4 = 8", "Write in base 10.")
    assert [words for words in RULES.replace("\n", "").split("|") if wrong("3 + 4 = 8", f"Write {words}.")] == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("3 * 4 = 15", "3 * 4 comes to 12, not 15"),
        ("15 = 3 * 4", "3 * 4 comes to 12, not 15"),
        ("2 + 3 = 5 = 3 * 2", "3 * 2 comes to 6, not 5"),
        ("(8 - 5) = (7 - 2)", "(8 - 5) comes to 3, not (7 - 2)"),
        ("15 / 60 = 30%", "15 / 60 comes to 25%, not 30%"),
        ("1 / 3 = 0.4321", "1 / 3 comes to 0.3333, not 0.4321"),
        ("1  +  1\n= 3", "1 + 1 comes to 2, not 3"),
        ("1 + " * 60 + "1 = 3", "1 + " * 30 + "… comes to 61, not 3"),
    ],
)
def test_the_sentence_says_what_a_sum_comes_to(text: str, sentence: str) -> None:
    assert [finding.sentence for finding in find_wrong_sums(Pair("Work it out.", "", text))] == [sentence]


def test_thought_and_answer_are_fields_of_their_own() -> None:
    text = "<think>\n1 + 1 = 3\n</think>\nSo\n2 + 2 = 5"
    found = [(finding.field, finding.line, finding.found) for finding in verify(Pair("Work it out.", "", text))]
    assert found == [("response", 1, "5"), ("thought", 0, "3")]
    (finding,) = verify(Pair("Work it out.", "", "<think>It costs 3 + 4 = 8.</think>\nFine."))
    assert (finding.field, finding.line, finding.found) == ("thought", 0, "8")


def test_every_wrong_sum_has_its_line() -> None:
    text = "1 + 1 = 3\nfine\n2 + 2 = 4\n3 + 3 = 7, 4 + 4 = 9\n\n5 + 5 = 11"
    found = [(finding.line, finding.found) for finding in find_wrong_sums(Pair("Work it out.", "", text))]
    assert found == [(0, "3"), (3, "7"), (3, "9"), (5, "11")]


BOMBS = {
    "brackets": "(" * 30_000 + "1 + 1 = 3",
    "closed": "1 + 1 = 3" + ")" * 30_000,
    "nested": "(" * 10_000 + "1" + ")" * 10_000 + " + 1 = 3",
    "deep": "(" * 40 + "1" + ")" * 40 + " + 1 = 3",
    "digits": "1 + " + "9" * 30_000 + " = 3",
    "equalities": "=" * 30_000 + "1 + 1 = ",
    "minus": "-" * 30_000 + "1 + 1 = 3",
    "less": "<" + "-" * 30_000 + "1 + 1 = x",
    "powers": "2^" * 10_000 + "2 = 4",
    "towers": "9^9^9^9 = 1 + 1",
    "large": "9" * 59 + "^64 * " + "9" * 59 + "^64 = 1 + 1",
    "factorials": "100! * " * 100 + "1 = 3",
    "roots": "√" * 20_000 + "4 + 1 = 5",
    "fractions": "\\frac{1}{" * 5_000 + "2 = 3",
    "text": "\\text{" * 5_000 + "1 + 1 = x",
    "commas": "1," * 10_000 + "1 + 1 = x",
    "colons": "1:" * 10_000 + "1 + 1 = x",
    "slashes": "/a" * 10_000 + " + 1 = x",
    "lines": "1 + y\n" * 5_000 + "\n" * 10_000 + "= 3",
    "spaces": "1 + 1" + " " * 30_000 + "= x",
    "long": "1 + " * 500 + "1 = 3",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_text_that_means_harm_is_read_in_linear_time_and_without_an_error(name: str) -> None:
    found = [finding.found for finding in find_wrong_sums(Pair("Work it out.", "", BOMBS[name]))]
    assert found == {"closed": ["3"], "brackets": ["3"]}.get(name, [])


@given(st.text(alphabet="0123456789.,+-−–*×x/÷^()[]{}=≈%$!√²\\ \nabAofwrits'\"<>&:", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_without_an_error_and_its_findings_point_into_it(text: str) -> None:
    for finding in verify(Pair("Work it out.", "", text), only=["wrong_sum", "order_broken", "brackets_broken"]):
        assert finding.found.split()[0] in text.split("\n")[finding.line]
        assert finding.expected != finding.found


# ---------------------------------------------------------------------------------------- orders and stacks of traces

LETTERS = 'The first letter: "cat": "c" (3). "ant": "a" (1). "cow": "c" (3).'
ORDER = '(1) "ant" < (3) ["cat" ? "cow"]'
SECOND = 'The second letter: "cat": "a" (1). "cow": "o" (15).'
WHOLE = '"ant" < "cat" < "cow"'
ORDERS_BROKEN = [
    (['Sorted: "bee" < "ant"'], 0, '"bee" < "ant"', '"ant" < "bee"'),
    (['Sorted: "ant" < "bee" < "Ape"'], 0, '"bee" < "Ape"', '"Ape" < "bee"'),
    (['Sort: ["ant" ? "cat"] < "bee"'], 0, '"cat" < "bee"', '"bee" < "cat"'),
    (['Sort: "bee" < ["cat" ? "ant"]'], 0, '"bee" < "ant"', '"ant" < "bee"'),
    (["letters", 'so "a" < "b", and "d" < "c".'], 1, '"d" < "c"', '"c" < "d"'),
    (['Sort: (1) "ant" < (4) "cat"'], 0, '(4) "cat"', '(3) "cat"'),
    (['Sort: (3) ["ant" ? "cat"]<"dog"'], 0, '(3) "ant"', '(1) "ant"'),
    (['The first letter: "cat": "c" (4). <'], 0, '"cat": "c" (4)', '"cat": "c" (3)'),
    (['The first letter: "cat": "k" (3). <'], 0, '"cat": "k" (3)', '"cat": "c" (3)'),
    (['The second letters: "cat": "t" (20). <'], 0, '"cat": "t" (20)', '"cat": "a" (1)'),
    ([LETTERS, 'We have (1) "ant" < (3) "cat"'], 1, "", '"cow"'),
    ([LETTERS, 'We have (1) "ant" < (3) ["cat" ? "cow" ? "cow"]'], 1, '"cow"', ""),
    ([LETTERS, ORDER, SECOND, f'(1) "cat" for the subpart. Hence, {WHOLE}'], 3, "", '"cow"'),
    ([LETTERS, ORDER, SECOND, '(1) "cat" < (15) "cow" for the subpart. Hence, "ant" < "cow"'], 3, "", '"cat"'),
    (
        [LETTERS, ORDER, SECOND, '(1) "cat" < (15) "cow" for the subpart. Hence, "ant" < ["cat" ? "cow"]'],
        3,
        '["cat" ? "cow"]',
        "",
    ),
    (
        [LETTERS, ORDER, SECOND, f'(1) "cat" < (14) "cow" for the subpart. Hence, {WHOLE}'],
        3,
        '(14) "cow"',
        '(15) "cow"',
    ),
    (["Sort. <", '"ant"', "The answer is ant cow cat"], 2, '"cow" < "cat"', '"cat" < "cow"'),
    (["Sort. <", '"ant"', "The sorted list is: ant cow cat."], 2, '"cow" < "cat"', '"cat" < "cow"'),
    (['Sorted: "ant" < "bee"', 'Sorted: "dog" < "cow"', '"b" < "a"'], 1, '"dog" < "cow"', '"cow" < "dog"'),
    (['By the alphabet "zoo" < "yak"'], 0, '"zoo" < "yak"', '"yak" < "zoo"'),
    (['Sort: ["Zoo" ? "ant"] < "bee"'], 0, '"Zoo" < "bee"', '"bee" < "Zoo"'),
    (['Sort: "bee" < ["Zoo" ? "ant"]'], 0, '"bee" < "ant"', '"ant" < "bee"'),
    ([LETTERS, ORDER, SECOND, '(1) "cat" < (15) "cow" for the subpart. Hence, "cat" < "cow"'], 3, "", '"ant"'),
]
ORDERS_KEPT = [
    'Sorted: "ant" < "bee"',
    'Sorted: "Ant" < "bee" < "Cow"',
    '"bee" < "ant"',
    'Sorted by size: "bee" > "ant"',
    'Sorted: "shan\'t" < "shanty"',
    'Sorted: "co-op" < "coop" < "co-op"',
    'Sorted: "ant" < "bee", "ant" < "cow"',
    'Sorted: "cow", "ant" < "bee"',
    'Sorted: "cow" "ant" < "bee"',
    'Sorted: ["cat" ? "ant"] < "dog"',
    'Sorted: [] < "dog"',
    'Sorted: "dog" < [',
    'Sorted: "dog" < ["cat" and "ant"]',
    'Sorted: < "dog"',
    'Sort: (4) "1st" < "dog"',
    'Sort: (4) "été" < "zoo"',
    'The first letter: "1st": "s" (19). <',
    'The ninth letter: "cat": "c" (3). <',
    'The letter: "cat": "x" (3). <',
    f"{LETTERS}\n{ORDER}",
    f'{LETTERS}\n{ORDER}\n{SECOND}\n(1) "cat" < (15) "cow" for the subpart. Hence, {WHOLE}\nThe answer is ant cat cow',
    f'{LETTERS}\n{ORDER}\n{SECOND}\n(1) "cat" < (15) "cow" for the subpart. Hence, (1) "ant" < (3) "cat" < (3) "cow"',
    f'{LETTERS}\n{ORDER}\n{SECOND}\n(1) "cat" ? "cow" for the subpart. Hence, "ant" < ["cat" ? "cow"]',
    f'{LETTERS}\n{ORDER}\n{SECOND}\n["cat" ? "cow"] for the subpart. Hence, "ant" < ["cat" ? "cow"]',
    'Sort. < "\nThe answer is yes",',
]


@pytest.mark.parametrize(("lines", "line", "found", "expected"), ORDERS_BROKEN)
def test_an_order_that_is_not_alphabetical_is_found(lines: list[str], line: int, found: str, expected: str) -> None:
    findings = find_broken_orders(Pair("cat ant cow", "", "\n".join(lines)))
    assert [(finding.line, finding.found, finding.expected) for finding in findings] == [(line, found, expected)]


@pytest.mark.parametrize("text", ORDERS_KEPT)
def test_an_order_that_may_be_right_is_left_alone(text: str) -> None:
    assert find_broken_orders(Pair("cat ant cow", "", text)) == []


STEPS = ["stack: empty", "( ; stack: (", "[ ; stack: ( [", "] ; stack: ("]
STACKS_BROKEN = [
    ("", ["( ; stack: (", "[ ; stack: ["], 1, "[", "( ["),
    ("", ["( ; stack: (", ") ; stack: ("], 1, "(", "empty"),
    ("", ["stack: empty", "( ; stack: [", "x"], 1, "[", "("),
    ("", ["stack: empty", "( ; stack: empty"], 1, "empty", "("),
    ("", ["( ; stack: (", "[ ; stack: ( [", ") ; stack: ["], 2, "[", "( ["),
    ("", ["{ ; stack: {", "} ; stack: { }"], 1, "{ }", "empty"),
    ("", ["< ; stack: <", "> ; stack: < >"], 1, "< >", "empty"),
    ("", ["(, stack: (", "[, stack: [ ("], 1, "[ (", "( ["),
    ("", ["(: Stack: (", "[: Stack: ("], 1, "(", "( ["),
    ("( [ ]", ["stack: empty", "[ ; stack: ["], 1, "[", "("),
    ("( [ ]", ["stack: empty", "( ; stack: (", "] ; stack: ("], 2, "]", "["),
    ("( [ ]", [*STEPS, "( ; stack: ( ("], 4, "(", "none"),
    ("( [ ]", [*STEPS[:3], "Now, we have reached the end."], 3, "reached the end", "]"),
    ("Close it.\n( [ ]\n", [*STEPS[:3], "Now, we have reached the end."], 3, "reached the end", "]"),
    ("", [*STEPS, 'The final stack is "[".'], 4, "[", "("),
    ("", [*STEPS, "The final stack is empty."], 4, "empty", "("),
    ("", [*STEPS[:3], 'We will need to pop out "(", "[" one by one.'], 3, "( [", "[ ("),
    ("", [*STEPS[:3], 'We will need to pop out "(" and "[" one by one.'], 3, "( [", "[ ("),
    ("", [*STEPS[:3], 'So, we need ")", "]".'], 3, ") ]", "] )"),
    ("", [*STEPS[:3], "So the answer is ) ]"], 3, ") ]", "] )"),
    ("", [*STEPS, "So the answer is ]"], 4, "]", ")"),
]
STACKS_KEPT = [
    ("", STEPS),
    ("( [ ]", STEPS),
    ("( [ ]", [*STEPS, "Now, we have reached the end."]),
    ("([]", [*STEPS, 'The final stack is "( ".', 'We need to pop out "(".', 'So, we need ")". So the answer is )']),
    ("", [*STEPS[:3], 'pop out "[" ,"("', 'pop out "[" and "("', 'we need "]", and ")"', "the answer is ] )"]),
    ("", ["( ; stack: (", ") ; stack: empty", "The final stack is empty."]),
    ("", ["] ; stack: ( ["]),
    ("", ["stack: empty", "] ; stack: empty"]),
    ("", ["The answer is ) ]"]),
    ("", ["stack: empty", "The answer is ) ]"]),
    ("", ["( ; stack: (", "So the answer is yes"]),
    ("", ["( ; stack: (", "So the answer is ) for now"]),
    ("", ["} ; stack: { }", "So the answer is } }"]),
    ("", ["( ; queue: (", "[ ; queue: ["]),
    ("", ["Full stack: (", "a stack: [", "x ; stack: ["]),
    ("", ["( ; stack: (", "an aside", "[ ; stack: ( ["]),
    ("( [ ]", ["No stack: here", "We have reached the end."]),
    ("What does ( [ ] mean?", ["( ; stack: (", "{ ; stack: ( {"]),
    ("", ["( ; stack: (", "stack: empty", "[ ; stack: ["]),
    ("", ["stack: empty", "< ; stack: <", "> ; stack: empty", "{ ; stack: {", "} ; stack: empty"]),
    ("", ["( ; stack: ((", "The final stack is unclear"][1:]),
]


@pytest.mark.parametrize(("asked", "lines", "line", "found", "expected"), STACKS_BROKEN)
def test_a_step_that_does_not_follow_is_found(
    asked: str, lines: list[str], line: int, found: str, expected: str
) -> None:
    findings = find_broken_brackets(Pair(asked, "", "\n".join(lines)))
    assert [(finding.line, finding.found, finding.expected) for finding in findings] == [(line, found, expected)]


@pytest.mark.parametrize(("asked", "lines"), STACKS_KEPT)
def test_a_stack_that_follows_is_left_alone(asked: str, lines: list[str]) -> None:
    assert find_broken_brackets(Pair(asked, "", "\n".join(lines))) == []


def test_what_is_found_differently_than_before_has_another_version() -> None:
    expected = {"wrong_sum": (1, "high"), "order_broken": (1, "high"), "brackets_broken": (1, "high")}
    assert {each.id: (each.version, each.severity) for each in VERIFIERS if each.id in expected} == expected


def test_each_letter_of_a_word_has_its_number() -> None:
    ordinals = "first second third fourth fifth sixth seventh eighth ninth tenth"
    for place, (ordinal, letter) in enumerate(zip(ordinals.split(), "abcdefghij", strict=True)):
        (fault,) = find_broken_orders(Pair("", "", f'The {ordinal} letter: "abcdefghij": "z" (26). <'))
        assert fault.expected == f'"abcdefghij": "{letter}" ({place + 1})'
        assert fault.sentence.startswith(f'the {ordinal} letter of "abcdefghij" is {letter}')


def test_orders_and_stacks_are_looked_for_in_the_thought_as_well() -> None:
    text = '<think>sort: "b" < "a"\n( ; stack: (\n[ ; stack: [\n</think>\n"d" < "c" by letter'
    found = [(finding.check, finding.field, finding.line) for finding in verify(Pair("Do it.", "", text))]
    assert found == [
        ("order_broken", "response", 0),
        ("order_broken", "thought", 0),
        ("brackets_broken", "thought", 2),
    ]


@pytest.mark.parametrize("text", ['sort "b" < "a"', "( ; stack: (\n[ ; stack: [\n"])
def test_a_thought_is_looked_at_where_nothing_is_wrong_in_the_answer(text: str) -> None:
    found = verify(Pair("Do it.", "", f"<think>\n{text}</think>\nfine"))
    assert [finding.field for finding in found] == ["thought"]


@pytest.mark.parametrize(
    ("asked", "text", "sentence"),
    [
        ("", 'sort "b" < "a"', '"a" comes before "b" in the alphabet'),
        ("", 'sort (2) "a" < "b"', 'the first letter of "a" is a, number 1, not number 2'),
        ("", 'The first letter: "a": "b" (2). <', 'the first letter of "a" is a, number 1, not b, number 2'),
        ("", f'{LETTERS}\n"ant" < "cat"', '"cow" is left out of the order'),
        ("", f'{LETTERS}\n"ant" < "cat" < ["cow" ? "cow"]', '"cow" stands in the order twice'),
        (
            "",
            f'{LETTERS}\n{SECOND}\n"cat" < "cow" for the subpart. Hence "ant" < ["cat" ? "cow"]',
            '["cat" ? "cow"] is still to be sorted, though its part is',
        ),
        ("( [", "( ; stack: (\n{ ; stack: ( {", "bracket 2 is [, not {"),
        ("", "( ; stack: (\n) ; stack: (", "after ) the stack is empty, not ("),
        ("( [ ]", "( ; stack: (\nwe reached the end", "1 of 3 brackets were taken"),
        ("", '( ; stack: (\nwe need "]"', "from the stack ( follows ), not ]"),
    ],
)
def test_the_sentence_says_what_is_broken(asked: str, text: str, sentence: str) -> None:
    found = verify(Pair(asked, "", text), only=["order_broken", "brackets_broken"])
    assert [(finding.sentence, finding.turn) for finding in found] == [(sentence, 0)]


def test_a_finding_of_a_wrong_sum_is_whole() -> None:
    assert verify(Pair("Work it out.", "", "So\n3 + 4 = 8")) == [
        Finding("wrong_sum", "response", 0, 1, "8", "7", "3 + 4 comes to 7, not 8")
    ]


@pytest.mark.parametrize("bomb", ['"a" < ', '"a" ? ', "[", '(1) "', "( ; stack: (\n", '"pop out "(", ', "stack: "])
def test_a_megabyte_of_claims_is_read_without_an_error(bomb: str) -> None:
    text = "sort stack: " + bomb * (20_000 // len(bomb))
    assert len(verify(Pair("Do it.", "", text), only=["order_broken", "brackets_broken"])) <= 1


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("task", "check", "exact"),
    [
        ("multistep_arithmetic", "wrong_sum", 117),
        ("word_sorting", "order_broken", 67),
        ("dyck_languages", "brackets_broken", 62),
    ],
)
def test_the_first_wrong_step_of_marked_traces_is_found_where_people_marked_it(
    task: str, check: str, exact: int, realdata: Callable[[str], Path]
) -> None:
    hits = 0
    for line in realdata("trace_mistakes.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["task"] == task and row["mistake_index"] is not None:
            found = verify(Pair(row["input"], "", "\n".join(row["steps"])), only=[check])
            hits += bool(found) and found[0].line == row["mistake_index"]
    assert hits >= exact


@pytest.mark.parametrize(
    ("check", "asked", "steps", "line"),
    [
        (
            "wrong_sum",
            "((2 - 3) * (4 + 5)) =",
            [
                'It is "A * B", where A = (2 - 3) and B = (4 + 5).',
                "A = (2 - 3) = -1.",
                "B = (4 + 5) = 8.",
                "A * B = -1 * 8 = -8",
            ],
            2,
        ),
        ("wrong_sum", "((2 - 3) - (4 - 5)) =", ["A = (2 - 3) = -1.", "B = (4 - 5) = -1.", "A - B = -1 - 1 = -2."], 2),
        (
            "order_broken",
            "cat ant cow",
            [LETTERS, ORDER, SECOND, '(1) "cat" < (15) "cow" for the subpart. Hence, "cat" < "ant"'],
            3,
        ),
        (
            "brackets_broken",
            "( [ ] )",
            ["stack: empty", "( ; stack: (", "[ ; stack: ( [", "] ; stack: empty", ") ; stack: empty"],
            3,
        ),
    ],
)
def test_the_first_wrong_step_of_a_trace_is_found(check: str, asked: str, steps: list[str], line: int) -> None:
    found = verify(Pair(asked, "", "\n".join(steps)), only=[check])
    assert [finding.line for finding in found][:1] == [line]
