"""Tests of rows that assert something, and those of which no assertion is reached, which say nothing."""

from __future__ import annotations

import pytest

from hfclean.errors import IsolationError
from hfclean.isolation import system_calls
from hfclean.isolation.assertions import is_assertion
from hfclean.isolation.running import Job, Told, run_jobs
from hfclean.verifiers.answer_code import parsed


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("assert x", True),
        ("raise ValueError", True),
        ("self.assertEqual(1, 2)", True),
        ("np.testing.assert_allclose(a, b)", True),
        ("pytest.fail('no')", True),
        ("print('assert')", False),
        ("asserted = 1", False),
    ],
)
def test_what_may_fail_on_purpose(code: str, told: bool) -> None:
    tree = parsed(code)
    assert tree is not None
    assert is_assertion(tree) is told


# ------------------------------------------------------------------------------------------------ what is reached

RIGHT = "def f(x):\n    if x < 0:\n        raise ValueError(x)\n    return 2 * x"
WRONG = "def f(x):\n    return 3 * x + 1"
CASE = "import unittest\nclass Some(unittest.TestCase):\n  def test_a(self):\n"
REACHES_NOTHING = [
    "if False:\n  assert f(1) == 2",
    "for x in []:\n  assert f(x) == 2",
    "while False:\n  raise ValueError",
    "if 0:\n  raise ValueError",
    "for x in ():\n  raise ValueError",
    "assert True",
    "assert 1 + 1 == 2",
    "assert (f(1) == 3, 'words')",
    "if __name__ == '__main__':\n  assert f(1) == 2",
    "import sys\nif __name__ == '__main__':\n  sys.exit(0)",
    "def test():\n  for x in []:\n    assert f(x) == 2",
    "def test():\n  return\n  assert f(1) == 2",
    "def test():\n  if False:\n    if f(1) != 2: raise ValueError",
    "def test():\n  try:\n    f(1)\n  except ValueError:\n    assert f(1) == 2",
    "def test():\n  try:\n    f(1)\n  except TypeError:\n    raise",
    "def test():\n  def later():\n    assert f(1) == 2",
    "def test():\n  [same(x) for x in []]\ndef same(x):\n  assert f(x) == 2",
    "def check(candidate):\n  for x in []:\n    assert candidate(x) == 2",
    "def check(candidate):\n  assert True",
    f"{CASE}    for x in []:\n      self.assertEqual(f(x), 2)",
    f"{CASE}    self.assertEqual(1, 1)",
    f"{CASE}    self.assertEqual(first=1, second=1)",
    f"{CASE}    [self.assertEqual(f(x), 2) for x in []]",
]
REACHES_SOMETHING = [
    "assert f(1) == 2, 'words'",
    "assert not f(0)",
    "assert ()  == tuple(x for x in range(3) if f(x) != 2 * x)",
    "if f(1) != 2: raise ValueError",
    "if f(1) == 2: pass\nelif f(1) == 3: pass\nelif f(1) == 5: pass\nelse: raise ValueError",
    "import sys\nif f(1) != 2: sys.exit(1)",
    "while f(1) != 2: raise ValueError",
    "match f(1):\n  case 2: pass\n  case _: raise ValueError",
    "for x in range(3):\n  if f(x) != 2 * x: raise ValueError",
    "for x in [x for x in range(3) if f(x) != 2 * x]: raise ValueError",
    "try:\n  f(-1)\nexcept ValueError:\n  pass\nelse:\n  raise AssertionError",
    "try:\n  f(-1)\n  assert False\nexcept ValueError:\n  pass",
    "from contextlib import suppress\nwith suppress(ValueError):\n  f(-1)\n  raise AssertionError",
    "import pytest\nf(1) == 2 or pytest.fail('words')",
    "import pytest\npytest.fail('words') if f(1) != 2 else None",
    "import pytest\ndef test():\n  with pytest.raises(ValueError): f(-1)",
    "def test():\n  if f(1) == 2: return\n  raise ValueError",
    "def check(candidate):\n  if candidate(1) == 2: return\n  raise ValueError",
    "async def test():\n  if f(1) == 2: return\n  assert 0",
    "def same(g):\n  assert g(1) == 2\nsame(f)",
    "def same(g):\n  assert g(1) == 2\ndef check(candidate):\n  same(candidate)",
    "def same(g):\n  assert g(1) == 2\ndef test():\n  same(f)",
    "def test():\n  assert f(1) == 2\ndef test_nothing():\n  for x in []: assert f(x)",
    "def check(candidate):\n  assert candidate(1) == 2\n  for x in []: assert f(x)\ncheck(f)",
    f"{CASE}    self.assertRaises(ValueError, f, -1)",
    f"{CASE}    with self.assertRaises(ValueError): f(-1)",
    f"{CASE}    try:\n      f(-1)\n      self.fail()\n    except ValueError: pass",
    "x = " + " + ".join("1" * 900) + "\nassert f(1) == 2",
]


def told(code: str, tests: list[str]) -> list[Told]:
    if not system_calls.machine():
        pytest.skip("Linux on x86-64 or 64-bit ARM")
    try:
        return run_jobs([Job((code,), test, "f", 60.0, 512) for test in tests])
    except IsolationError as e:
        pytest.skip(str(e))


def test_a_test_that_reaches_no_assertion_says_nothing() -> None:
    for test, each in zip(REACHES_NOTHING, told(RIGHT, REACHES_NOTHING), strict=True):
        assert (each.passed, each.total, each.reason) == (0, 0, "asserts_nothing"), test


def test_whatever_decides_whether_a_test_fails_is_reached() -> None:
    for test, each in zip(REACHES_SOMETHING, told(RIGHT, REACHES_SOMETHING), strict=True):
        assert (each.passed, each.total, each.reason) == (1, 1, ""), test
    for test, each in zip(REACHES_SOMETHING, told(WRONG, REACHES_SOMETHING), strict=True):
        assert (each.passed, each.total, each.ran) == (0, 1, True), test


def test_a_call_without_arguments_is_an_assertion() -> None:
    mock = "from unittest.mock import Mock\nm = Mock()\nm(f(1))\nm.assert_called_once()"
    assert told(RIGHT, [mock]) == [Told(1, 1, "", "")]
