"""Token losses against a plain float64 loop: the same numbers for every architecture, batch, order and neighbour."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from extras import needs

needs("models", "torch", "transformers")

import numpy as np
import torch
import transformers
from datasets import Dataset

import hfclean
from hfclean.errors import HfcleanError
from hfclean.models import ModelError, ModelSpec, fastest, likelihood, matrix_products, process
from hfclean.models.likelihood import Backbone, Sequence_
from hfclean.models.losses import Passage, Tokenization, token_losses
from hfclean.models.shared_prefix import Prefix, common_prefix, reach
from hfclean.schema import Pair
from hfclean.scorers.likelihood import IFD, IRA, Perplexity, ReverseIFD, SelectiveIFD
from hfclean.testing_models import tiny_model, tiny_tokenizer

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
VOCABULARY, CONTEXT = 320, 128
SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
NO_SPECIALS: dict[str, Any] = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
ARCHITECTURES = {
    "gpt2": lambda: transformers.GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=CONTEXT, **NO_SPECIALS
    ),
    "llama": lambda: transformers.LlamaConfig(**SHAPE),
    "llama, tied head": lambda: transformers.LlamaConfig(**SHAPE, tie_word_embeddings=True),
    "qwen3, tied head": lambda: transformers.Qwen3Config(**SHAPE, head_dim=8, tie_word_embeddings=True),
    "gemma2": lambda: transformers.Gemma2Config(
        **SHAPE, head_dim=8, final_logit_softcapping=3.0, attn_logit_softcapping=5.0, query_pre_attn_scalar=8
    ),
    "gemma3": lambda: transformers.Gemma3TextConfig(**SHAPE, head_dim=8, final_logit_softcapping=3.0),
    "cohere": lambda: transformers.CohereConfig(**SHAPE, logit_scale=0.25),
    "granite": lambda: transformers.GraniteConfig(**SHAPE, logits_scaling=4.0, embedding_multiplier=3.0),
    "mistral, sliding window": lambda: transformers.MistralConfig(**SHAPE, sliding_window=8, head_dim=8),
    "opt": lambda: transformers.OPTConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        ffn_dim=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
        word_embed_proj_dim=16,
        **NO_SPECIALS,
    ),
    "bloom": lambda: transformers.BloomConfig(
        vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4, **NO_SPECIALS
    ),
    "mamba": lambda: transformers.MambaConfig(
        vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, **NO_SPECIALS
    ),
}
SIZES = [(5, 1), (100, 30), (17, 16), (64, 2), (2, 1), (80, 79), (33, 3), (128, 1)] * 2


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HFCLEAN_HOME", str(tmp_path / "home"))
    yield
    process.close()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny", context=256)


def model_of(config: Any, seed: int = 0) -> Any:
    config.initializer_range = 0.2
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return transformers.AutoModelForCausalLM.from_config(config).eval()


def sequences(seed: int = 1) -> list[Sequence_]:
    chance = torch.Generator().manual_seed(seed)
    return [Sequence_(torch.randint(VOCABULARY, (n,), generator=chance).tolist(), at) for n, at in SIZES]


def alike(seed: int = 2, size: int = 31) -> list[Sequence_]:
    """Sequences of which most begin alike, one that does so for long and then not, and what stands behind alone."""
    chance = torch.Generator().manual_seed(seed)
    begin, *others = (torch.randint(VOCABULARY, (n,), generator=chance).tolist() for n in (size, 40, 1, 22, 90, 9))
    sharing = [Sequence_([*begin, *ids], size + len(ids) // 3) for ids in others]
    return [*sharing, *(Sequence_(ids, 1) for ids in others[:1]), Sequence_([*begin[:20], *others[3]], 50)]


def reference(model: Any, ids: Sequence[int], start: int) -> Any:
    """The plain way: the whole forward, all logits, float64."""
    with torch.inference_mode():
        logits = model.double()(input_ids=torch.tensor([list(ids)])).logits[0].log_softmax(-1)
    model.float()
    return np.array([-logits[k - 1, ids[k]].item() for k in range(start, len(ids))])


# ------------------------------------------------------------------------------------------------------------ backbone


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_gives_the_numbers_of_its_own_forward(name: str) -> None:
    model = model_of(ARCHITECTURES[name]())  # untouched; the engine may put a faster activation into its own
    backbone = Backbone(model_of(ARCHITECTURES[name]()), None, budget=150)
    assert backbone.gathered  # the head at scored positions only
    assert backbone.quick
    assert backbone.packed == (name not in ("opt", "bloom", "mamba"))
    assert backbone.shared == (backbone.packed and name != "mistral, sliding window")
    some = [*sequences(), *alike()]
    found = [losses.values for losses in backbone.losses(some)]
    for (ids, start), values in zip(some, found, strict=True):
        np.testing.assert_allclose(values, reference(model, ids, start), atol=1e-4)
    for budget, packed, chunk in ((10, False, 1), (10_000, True, 7), (300, False, 128)):
        backbone.budget, backbone.chunk, backbone.packed = budget, chunk, packed and backbone.packed
        again = [losses.values for losses in backbone.losses(some[::-1])][::-1]
        for before, after in zip(found, again, strict=True):
            np.testing.assert_allclose(after, before, atol=1e-4)


def test_a_head_that_cannot_be_taken_by_itself_is_left_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(transformers.LlamaConfig(**SHAPE))
    forward = model.forward

    def strange(*args: Any, **kwargs: Any) -> Any:
        out = forward(*args, **kwargs)
        out.logits = out.logits * 0.5  # something that no configuration speaks of
        return out

    monkeypatch.setattr(model, "forward", strange)
    backbone = Backbone(model, None)
    assert not backbone.gathered
    (ids, start), *_ = sequences()
    np.testing.assert_allclose(
        backbone.losses([Sequence_(ids, start)])[0].values, reference(model, ids, start), atol=1e-4
    )


def test_a_product_or_an_activation_that_gives_other_numbers_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(torch.nn.Identity):
        def __init__(self, approximate: str) -> None:
            super().__init__()

    monkeypatch.setattr(torch.nn, "GELU", Wrong)
    monkeypatch.setattr(matrix_products, "_mode", lambda: lambda *_: WrongProduct())
    model = model_of(ARCHITECTURES["gpt2"]())
    backbone = Backbone(model, None)
    assert (backbone.fused, backbone.quick) == (False, False)
    assert not any(isinstance(module, Wrong) for module in model.modules())
    (ids, start), *_ = sequences()
    np.testing.assert_allclose(
        backbone.losses([Sequence_(ids, start)])[0].values, reference(model, ids, start), atol=1e-4
    )


class WrongProduct(torch.overrides.TorchFunctionMode):
    """A little off, in linear layers only."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        return found * 1.01 if func in (torch.nn.functional.linear, torch.addmm) else found


def test_a_fused_activation_is_in_the_model_where_it_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    fastest_is(monkeypatch, lambda question, ways: "fused" if question == "gelu" else next(iter(ways)))
    model = model_of(ARCHITECTURES["gpt2"]())
    assert Backbone(model, None).fused
    assert sum(type(module).__name__ == "GELU" for module in model.modules()) == 2
    assert not any(type(module).__name__ == "NewGELUActivation" for module in model.modules())


def fastest_is(monkeypatch: pytest.MonkeyPatch, choose: Callable[[str, dict[str, Any]], str]) -> None:
    def chosen(questions: dict[str, dict[str, Any]]) -> dict[str, str]:
        return {question: choose(question, ways) for question, ways in questions.items()}

    monkeypatch.setattr(matrix_products, "fastest", chosen)
    monkeypatch.setattr(likelihood, "fastest", chosen)


@pytest.mark.parametrize("rows", ["alone", "padded", "packed"])
def test_whichever_way_is_the_fastest_the_numbers_stay(rows: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def choose(question: str, ways: dict[str, Any]) -> str:
        asked.append(question)
        return rows if rows in ways else ("oneDNN", "torch")["(32, 96)" in question] if "oneDNN" in ways else "fused"

    fastest_is(monkeypatch, choose)
    model = model_of(ARCHITECTURES["gpt2"]())
    backbone = Backbone(model_of(ARCHITECTURES["gpt2"]()), None, budget=150)
    assert asked == [
        "gelu",
        *(f"addmm {shape} as ({shape[1]}, 1)" for shape in ((32, 96), (32, 32), (32, 128), (128, 32))),
        "linear (320, 32) as (32, 1)",
        "rows gpt2 32, 4 heads, torch.float32, alone, padded, packed",
    ]
    assert backbone.rows == rows
    assert sorted(product.shape for product in backbone.products) == [(32, 32), (32, 128), (128, 32), (320, 32)]
    assert len(backbone.model.transformer.h) == 2
    shapes = []
    forward = backbone._forward
    monkeypatch.setattr(backbone, "_forward", lambda ids, **more: (shapes.append(ids.shape), forward(ids, **more))[1])
    some = sequences()
    for (ids, start), losses in zip(some, backbone.losses(some), strict=True):
        np.testing.assert_allclose(losses.values, reference(model, ids, start), atol=1e-4)
    assert (len(shapes) == len(some)) == (rows == "alone")
    assert any(shape[0] > 1 for shape in shapes) == (rows == "padded")


def test_ways_are_measured_once_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    ways = {name: lambda name=name: ran.append(name) for name in ("slow", "quick")}
    times = iter(range(1_000_000))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)

    def clock() -> float:
        return next(times) + (1000.0 * len(ran) if ran and ran[-1] == "slow" else 0.0)

    monkeypatch.setattr(fastest.time, "thread_time", clock)
    file = tmp_path / "home" / fastest.FILE
    for content in (None, "{", '{"x": 1}', '{"x": {"y": 1}}', "[" * 2_000, " " * 1_000_001):
        if content is not None:
            file.write_text(content, encoding="utf-8")
            process.close()
        ran.clear()
        assert fastest.fastest({"question": ways}) == {"question": "quick"}
        assert ran == ["slow", "quick"] * fastest.ROUNDS
        assert json.loads(file.read_text(encoding="utf-8")) == {fastest.processor(): {"question": "quick"}}
    ran.clear()
    process.close()
    assert fastest.fastest({"question": ways}) == {"question": "quick"}  # from the file
    file.unlink()
    assert fastest.fastest({"question": ways}) == {"question": "quick"}  # from the process
    assert ran == []
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert fastest.fastest({"question": ways}) == {"question": "quick"}
    assert ran  # measured anew for what is another processor
    assert len(json.loads(file.read_text(encoding="utf-8"))) == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_products_through_onednn_are_those_of_torch(dtype: Any) -> None:
    chance = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(*shape, generator=chance).to(dtype) for shape in ((2, 3, 8), (5, 8), (5,)))
    linear = torch.nn.functional.linear

    def all_of_them() -> list[Any]:
        return [
            linear(x, weight, bias),
            linear(x, weight),
            linear(x[0, 0], weight, bias),
            linear(x, weight, bias=bias),
            linear(x[:0], weight, bias),
            torch.addmm(bias, x[0], weight.T),
            torch.addmm(x[0, :, :5], x[0], weight.T),
            torch.addmm(bias, x[0], weight.T, beta=2.0),
        ]

    with torch.inference_mode():
        wanted = all_of_them()
        with matrix_products.through_onednn():
            found = all_of_them()
        with matrix_products.through_onednn(only=()):
            assert all(torch.equal(a, b) for a, b in zip(wanted, all_of_them(), strict=True))
    for a, b in zip(wanted, found, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", ["gpt2", "gemma2"])
def test_what_most_sequences_begin_with_goes_through_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = Backbone(model_of(ARCHITECTURES[name]()), None, budget=150)
    backbone.rows = "packed"
    some = alike()
    run, groups, prefix, begun = backbone._run, [], backbone._prefix, []  # type: ignore[var-annotated]
    monkeypatch.setattr(backbone, "_run", lambda group, *more: (groups.append((group, *more)), run(group, *more))[1])
    monkeypatch.setattr(backbone, "_prefix", lambda ids: (begun.append(ids), prefix(ids))[1])
    found = backbone.losses(some)
    assert begun == [some[0].ids[:30]]  # the token before the first scored one stays with its sequence
    behind = [s for group, prefix in groups if prefix for s in group]
    assert sorted(behind) == sorted(some[:5])
    assert len([group for group, prefix in groups if prefix]) == 2  # 31 + 40 + 1 + 22 + 90 + 9 tokens at 150
    monkeypatch.setattr(backbone, "shared", False)
    for with_it, without in zip(found, backbone.losses(some), strict=True):
        np.testing.assert_allclose(with_it.values, without.values, atol=1e-4)
    assert len(begun) == 1


def test_a_beginning_that_does_not_fit_the_memory_is_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = Backbone(model_of(transformers.LlamaConfig(**SHAPE)), None)
    wanted = [losses.values for losses in backbone.losses(alike())]

    def full(ids: Sequence[int]) -> Any:
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(backbone, "_prefix", full)
    for before, after in zip(wanted, backbone.losses(alike()), strict=True):
        np.testing.assert_allclose(after.values, before, atol=1e-4)


def test_a_shared_beginning_that_gives_other_numbers_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    behind = Prefix.behind

    def wrong(self: Prefix, sizes: Sequence[int], like: Any) -> dict[str, Any]:
        found = behind(self, sizes, like)
        found["attention_mask"][..., 0] = torch.finfo(like.dtype).min
        return found

    monkeypatch.setattr(Prefix, "behind", wrong)
    backbone = Backbone(model_of(transformers.LlamaConfig(**SHAPE)), None)
    assert (backbone.packed, backbone.shared) == (True, False)


def test_what_a_layer_cannot_look_back_on_is_not_shared() -> None:
    config = ARCHITECTURES["mistral, sliding window"]()
    config.sliding_window = 60
    model = model_of(config)
    backbone = Backbone(model_of(config), None, budget=400)
    some = alike()
    assert (backbone.shared, backbone._reach) == (True, 60)
    assert common_prefix(some, 60) == (0, [])
    assert common_prefix(some) == (30, [0, 1, 2, 3, 4])
    for (ids, start), losses in zip(some, backbone.losses(some), strict=True):
        np.testing.assert_allclose(losses.values, reference(model, ids, start), atol=1e-4)
    backbone._reach = math.inf
    wrong = backbone.losses(some)[3].values
    assert abs(wrong - reference(model, *some[3])).max() > 1e-3  # what the limit is for


def test_how_far_a_model_looks_back_is_in_its_configuration() -> None:
    assert reach(ARCHITECTURES["llama"]()) == math.inf
    assert reach(transformers.Qwen2Config(sliding_window=512, use_sliding_window=False)) == math.inf
    assert reach(transformers.Gemma3TextConfig(sliding_window=512)) == 512
    assert reach(transformers.GPTNeoConfig(window_size=256)) == 256
    long = {"rope_type": "longrope", "original_max_position_embeddings": 4096, "rope_theta": 1e4}
    factors = {"long_factor": [1.0] * 4, "short_factor": [1.0] * 4}
    assert reach(transformers.LlamaConfig(**SHAPE, rope_parameters={**long, **factors})) == 4096


@pytest.mark.parametrize(
    ("sequences", "found"),
    [
        ([([7] * 40, 25)] * 4, (24, [0, 1, 2, 3])),
        ([([7] * 40, 24)] * 4, (0, [])),  # a token less before the first scored one
        ([([7] * 40, 30)] * 3, (0, [])),  # too few
        ([([7] * 40, 30), ([7] * 28 + [8] * 9, 31), *[([7] * 40, 33)] * 2, ([7] * 9, 1)], (28, [0, 1, 2, 3])),
        ([([8] * 40, 30), *[([7] * 40, 33)] * 4], (32, [1, 2, 3, 4])),
        ([], (0, [])),
    ],
)
def test_a_beginning_is_shared_by_most_and_ends_before_what_is_scored(
    sequences: list[tuple[list[int], int]], found: tuple[int, list[int]]
) -> None:
    assert common_prefix([Sequence_(*each) for each in sequences]) == found


def test_numbers_that_are_none_are_said_to_be_none() -> None:
    model = model_of(transformers.LlamaConfig(**SHAPE))
    backbone = Backbone(model, None)
    with torch.no_grad():
        model.get_output_embeddings().weight[5] = math.nan
    assert [losses.error for losses in backbone.losses([Sequence_([1, 2, 3], 1)])] == ["not_finite"]


def test_out_of_memory_halves_the_budget_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = Backbone(model_of(transformers.LlamaConfig(**SHAPE)), None, budget=400)
    some = sequences()
    wanted = [losses.values for losses in backbone.losses(some)]
    run = backbone._run

    def full(group: Sequence[Sequence_], *prefix: Any) -> Any:
        if sum(len(s.ids) for s in group) > 130 or any(s.start == 79 for s in group):
            raise RuntimeError("CUDA out of memory")
        return run(group, *prefix)

    monkeypatch.setattr(backbone, "_run", full)
    found = backbone.losses(some)
    assert [k for k, losses in enumerate(found) if losses.error] == [k for k, (_, at) in enumerate(SIZES) if at == 79]
    assert {losses.error for losses in found} == {"", "out_of_memory"}
    for before, after in zip(wanted, found, strict=True):
        if not after.error:
            np.testing.assert_allclose(after.values, before, atol=1e-4)

    def broken(group: Sequence[Sequence_], *prefix: Any) -> Any:
        raise RuntimeError("something else")

    monkeypatch.setattr(backbone, "_run", broken)
    with pytest.raises(RuntimeError, match="something else"):
        backbone.losses(some)


# -------------------------------------------------------------------------------------------------------------- texts

ROWS = [
    Pair("Name a fruit.", "", "An apple is a fruit."),
    Pair("Translate to German", "good morning", "Guten Morgen!"),
    Pair("Write a poem about the sea.", "", "The sea is deep and blue.\nThe sea is deep."),
    Pair("What is the capital of France?", "", " Paris"),
    Pair("Write \u4e00\u9996\u8bd7", "", "\u5e8a\u524d\u660e\u6708\u5149 \U0001f600"),
    Pair("", "", "An apple"),
]


def spec_of(folder: Path, **more: Any) -> ModelSpec:
    return ModelSpec(str(folder), dtype="float32", **more)


def aligned(folder: Path, context: str, target: str) -> tuple[Any, Any]:
    """The two passes the plain way, with the token rule written out anew."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    whole = tokenizer(context + target, return_offsets_mapping=True)
    text, border = context + target, len(context)  # a token of the text ends in it, and begins in no word before it
    first = next(
        k for k, (at, end) in enumerate(whole["offset_mapping"]) if end > border and not text[at:border].strip()
    )
    answer = whole["input_ids"][first:]
    given = reference(model, whole["input_ids"], first)[1:] if first else None
    return given, reference(model, answer, 1)


@pytest.mark.parametrize("pair", ROWS[:-1])
def test_both_passes_score_the_same_tokens(tiny: Path, pair: Pair) -> None:
    given, alone = aligned(tiny, f"{pair.instruction}\n" + (f"{pair.input}\n" if pair.input else ""), pair.response)
    out = IFD(str(tiny)).score_rows([[pair]])
    assert out["ifd_ppl"][0] == pytest.approx(math.exp(given.mean() - alone.mean()), abs=1e-4)
    assert out["ifd_ppl_reason"] == [""]
    loss = IFD(str(tiny), kind="loss").score_rows([[pair]])["ifd_loss"][0]
    assert loss == pytest.approx(given.mean() / alone.mean(), abs=1e-4)
    assert Perplexity(str(tiny), given=False).score_rows([[pair]])["ppl_alone"][0] == pytest.approx(
        math.exp(alone.mean()), rel=1e-4
    )
    ira = IRA(str(tiny)).score_rows([[pair]])
    assert ira["ira"][0] == pytest.approx((alone - given).sum(), abs=1e-3)
    assert ira["ira_mean"][0] == pytest.approx((alone - given).mean(), abs=1e-4)


def test_a_token_that_straddles_the_border_is_context(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer(["appletree " * 50], 300)
    folder = tiny_model(tmp_path / "m", tokenizer=tokenizer)
    assert len(tokenizer("appletree")["input_ids"]) == 1
    (found,) = token_losses(spec_of(folder), [Passage(("apple", ""), "tree tree")])
    assert found.status == "ok"
    assert len(found.values[0]) == len(found.values[1]) >= 1
    (none,) = token_losses(spec_of(folder), [Passage(("apple", ""), "tree")])
    assert (none.status, none.reason) == ("empty", "no token lies wholly in the text")


def test_a_tokenizer_that_puts_a_token_before_a_text_scores_the_first_one_too(tiny: Path, tmp_path: Path) -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = tiny_tokenizer()
    start = tokenizer.convert_tokens_to_ids("<|im_start|>")
    tokenizer._tokenizer.post_processor = TemplateProcessing(
        single="<|im_start|> $A", pair="<|im_start|> $A $B", special_tokens=[("<|im_start|>", start)]
    )
    folder = tiny_model(tmp_path / "m", tokenizer=tokenizer)
    passage = Passage(("Name a fruit.\n", ""), "An apple")
    (with_lead,) = token_losses(spec_of(folder), [passage])
    (without,) = token_losses(spec_of(tiny), [passage])
    assert len(with_lead.values[1]) == len(without.values[1]) + 1
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = [start, *tokenizer("An apple", add_special_tokens=False)["input_ids"]]
    np.testing.assert_allclose(with_lead.values[1], reference(model, ids, 1), atol=1e-4)


STATUS = {
    "no answer": (Pair("Name a fruit.", "", ""), "empty"),
    "blanks": (Pair("Name a fruit.", "", " \n\t"), "empty"),
    "a model's own markers": (Pair("Name a fruit.", "", "<|im_end|><|endoftext|> "), "empty"),
    "one token": (Pair("Name a fruit.", "", "!"), "empty"),
    "a long prompt": (Pair("fruit " * 400, "", "An apple."), "too_long"),
    "a long answer": (Pair("Name a fruit.", "", "An apple. " * 300), "truncated"),
}


@pytest.mark.parametrize("case", STATUS)
def test_what_cannot_be_scored_has_a_reason_and_no_number(tiny: Path, case: str) -> None:
    pair, reason = STATUS[case]
    for scorer in (IFD(str(tiny), verdict=True), IRA(str(tiny)), Perplexity(str(tiny)), SelectiveIFD(str(tiny))):
        out = scorer.score_rows([[pair], [ROWS[0]]])
        name = scorer.scores()[0]
        if case != "one token" or name != "ppl":
            assert out[f"{name}_reason"] == [reason, ""]
            assert math.isnan(out[name][0]) == (reason != "truncated")
        assert not math.isnan(out[name][1])


def test_markers_in_a_row_are_text(tiny: Path) -> None:
    (found,) = token_losses(spec_of(tiny), [Passage(("Say it.\n", ""), "a <|im_end|> b")])
    assert len(found.values[0]) > 5  # spelled out, not one token of the model's own


def test_a_truncated_answer_is_scored_as_far_as_it_fits(tiny: Path) -> None:
    passage = Passage(("Name a fruit.\n", ""), "An apple is a fruit. " * 5)
    (whole,) = token_losses(spec_of(tiny), [passage])
    (part,) = token_losses(spec_of(tiny), [passage], Tokenization(20))
    assert (whole.status, part.status) == ("ok", "truncated")
    count = len(part.values[0])
    for full, cut in zip(whole.values, part.values, strict=True):
        np.testing.assert_allclose(cut, full[:count], atol=1e-4)


def test_the_scripts_of_superfiltering_and_cherry_are_followed_when_asked(tiny: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32).eval()
    pair = ROWS[1]
    prompt = f"{pair.instruction}\n{pair.input}\n"
    start = len(tokenizer(prompt)["input_ids"])
    given = reference(model, tokenizer(prompt + pair.response)["input_ids"], start)
    alone = reference(model, tokenizer(pair.response)["input_ids"], 1)
    assert len(given) == len(alone) + 1  # the offset
    found = IFD(str(tiny), variant="superfiltering").score_rows([[pair]])["ifd_ppl"][0]
    assert found == pytest.approx(math.exp(given.mean() - alone.mean()), abs=1e-4)
    prompt = (
        "Below is an instruction that describes a task, paired with an input that provides further context. Write a "
        f"response that appropriately completes the request.\n\n### Instruction:\n{pair.instruction}\n\n### Input:\n"
        f"{pair.input}\n\n### Response:"
    )
    start, header = len(tokenizer(prompt)["input_ids"]), len(tokenizer("### Response:")["input_ids"])
    given = reference(model, tokenizer(prompt + pair.response)["input_ids"], start)
    alone = reference(model, tokenizer("### Response:" + pair.response)["input_ids"], header)
    for scorer in (IFD(str(tiny), variant="cherry"), IFD(str(tiny), variant="cherry", kind="loss")):
        assert scorer.score_rows([[pair]])["ifd_loss"][0] == pytest.approx(given.mean() / alone.mean(), abs=1e-4)
    assert IFD(str(tiny), variant="cherry", kind="ppl").score_rows([[pair]])["ifd_ppl"][0] == pytest.approx(
        math.exp(given.mean() - alone.mean()), abs=1e-4
    )


@pytest.mark.parametrize(
    "pair", [ROWS[0], ROWS[2], Pair("Add.", "1\n2", "The sum is 3."), Pair("Say it", "", "Paris, now")]
)
def test_cherrys_ratio_is_that_of_its_script(tiny: Path, pair: Pair) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32).eval()
    has = ", paired with an input that provides further context" if pair.input else ""
    more = f"### Input:\n{pair.input}\n\n" if pair.input else ""
    prompt = f"Below is an instruction that describes a task{has}. {PREAMBLE}{pair.instruction}\n\n{more}### Response:"
    means = []
    for before in (prompt, "### Response:"):
        ids = tokenizer(before + pair.response)["input_ids"]
        means.append(reference(model, ids, len(tokenizer(before)["input_ids"])).mean())
    found = IFD(str(tiny), variant="cherry").score_rows([[pair]])
    assert found["ifd_loss"] == [pytest.approx(means[0] / means[1], abs=1e-4)]


def test_each_variant_has_the_formula_and_the_limit_that_it_selects_by() -> None:
    kinds = {variant: IFD("m", variant=variant).kind for variant in ("aligned", "superfiltering", "cherry")}  # type: ignore[arg-type]
    assert kinds == {"aligned": "ppl", "superfiltering": "ppl", "cherry": "loss"}
    assert IFD("m", variant="cherry", kind="ppl").names()[0] == "ifd_ppl"
    told = IFD("m", variant="cherry", verdict=True)
    assert (told.scores(), told.settings()["template"], told.settings()["max_length"]) == (
        ("ifd_loss",),
        "alpaca",
        512,
    )
    values = (0.2, 0.5, 1.0, 1.0000001, math.nan)
    assert [told._say(value) for value in values] == ["easy", "informative", "informative", "misaligned", ""]
    assert [IFD("m")._say(value) for value in values] == ["easy", "informative", "misaligned", "misaligned", ""]


SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, "
    "and polite answers to the user's questions."
)
PREAMBLE = "Write a response that appropriately completes the request.\n\n### Instruction:\n"
FORMS = {
    ("vicuna", False): f"{SYSTEM} USER: Add. ASSISTANT:",
    ("vicuna", True): f"{SYSTEM} USER: Add.\nInput:\n1 + 1 ASSISTANT:",
    ("alpaca", False): f"Below is an instruction that describes a task. {PREAMBLE}Add.\n\n### Response:",
    ("alpaca", True): (
        "Below is an instruction that describes a task, paired with an input that provides further context. "
        f"{PREAMBLE}Add.\n\n### Input:\n1 + 1\n\n### Response:"
    ),
    ("lines", False): "Add.\n",
    ("lines", True): "Add.\n1 + 1\n",
}


@pytest.mark.parametrize("name", FORMS)
def test_prompts_are_in_the_form_that_models_were_tuned_with(name: tuple[str, bool]) -> None:
    template, has_input = name
    pair = Pair("Add.", "1 + 1" if has_input else "", "2")
    assert IFD("m", template=template).prompt(pair) == FORMS[name]
    assert IFD("m", template=template).prompt(pair)[-1] != " "


# ------------------------------------------------------------------------------------- blanks at the end of a template

ENDS = (
    "{prompt} A: ",
    "{prompt} A:  ",
    "{prompt}\tA:\t",
    "{prompt}\n",
    "{prompt} A:\n\n",
    "{prompt} A:\u00a0",
    "{prompt} A: \n ",
)
ANSWERS = (
    "Paris.",
    "An apple is a fruit.",
    "7 of 9",
    "Ünïcödé 漢字",
    "(a) b",
    "fruit salad",
    "  Paris is blue",
    "\nGuten Morgen!",
)


@pytest.mark.parametrize("template", ENDS)
def test_a_blank_at_the_end_of_a_template_takes_no_token_of_the_answer(tiny: Path, template: str) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32).eval()
    context = template.format(prompt="Name it.")
    losses = token_losses(spec_of(tiny), [Passage((context, ""), answer) for answer in ANSWERS])
    for answer, found in zip(ANSWERS, losses, strict=True):
        coded = tokenizer(context + answer, return_offsets_mapping=True)
        said = len(context) + len(answer) - len(answer.lstrip())  # where the first character that is no blank stands
        first = next(k for k, (_, end) in enumerate(coded["offset_mapping"]) if end > said)
        # behind the bare start of a text this tokenizer puts nothing, so that the first token counts nowhere
        assert len(found.values[0]) >= len(coded["input_ids"]) - first - 1, answer
        ids = coded["input_ids"]
        last = len(found.values[0])
        np.testing.assert_allclose(found.values[0], reference(model, ids, len(ids) - last), atol=1e-4)
        np.testing.assert_allclose(found.values[1], reference(model, ids[len(ids) - last - 1 :], 1), atol=1e-4)


@pytest.mark.parametrize("settings", [{}, {"variant": "superfiltering"}, {"variant": "cherry"}])
def test_an_answer_of_one_word_has_a_score_behind_a_blank(tmp_path: Path, settings: dict[str, Any]) -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = tiny_tokenizer(["Name a fruit: apple pear apple pear " * 30])
    start = tokenizer.convert_tokens_to_ids("<|im_start|>")
    tokenizer._tokenizer.post_processor = TemplateProcessing(
        single="<|im_start|> $A", pair="<|im_start|> $A $B", special_tokens=[("<|im_start|>", start)]
    )
    assert len(tokenizer(" pear", add_special_tokens=False)["input_ids"]) == 1
    folder = tiny_model(tmp_path / "m", tokenizer=tokenizer)
    for template in ("Q: {prompt} A: ", "Q: {prompt} A:", "Q: {prompt} A:\n"):
        scorer = IFD(str(folder), template=template, **settings)
        out = scorer.score_rows([[Pair("Name a fruit.", "", "pear")]])
        (name,) = scorer.scores()
        assert (math.isfinite(out[name][0]), out[f"{name}_reason"]) == (True, [""])
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    whole = tokenizer("Q: Name a fruit. A: pear")["input_ids"]
    given = reference(model, whole, len(whole) - 1)
    out = Perplexity(str(folder), template="Q: {prompt} A: ").score_rows([[Pair("Name a fruit.", "", "pear")]])
    assert out["ppl"][0] == pytest.approx(math.exp(given.mean()), rel=1e-4)


def llama_like(text: str, *, bos: bool = True) -> Any:
    """A tokenizer that writes a blank as a letter and joins it to the word behind, with a token before every text."""
    import tokenizers
    from tokenizers.processors import TemplateProcessing

    inner = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="<unk>", byte_fallback=True))
    inner.normalizer = tokenizers.normalizers.Sequence(
        [tokenizers.normalizers.Prepend("\u2581"), tokenizers.normalizers.Replace(" ", "\u2581")]
    )
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Split("\u2581", "merged_with_next")
    alphabet = [f"<0x{k:02X}>" for k in range(256)]
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=500, special_tokens=["<unk>", "<s>", "</s>", *alphabet])
    inner.train_from_iterator([text], trainer)
    inner.pre_tokenizer = None
    if bos:
        inner.post_processor = TemplateProcessing(single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>")


WORDS_OF_ALL = "Name a fruit : apple pear USER: ASSISTANT: An apple is a fruit. Guten Morgen! It is deep and blue. "


@pytest.mark.parametrize("end", [" ", "", "\n", "  "])
def test_the_first_word_counts_where_blanks_are_letters(tmp_path: Path, end: str) -> None:
    tokenizer = llama_like(WORDS_OF_ALL * 30)
    folder = tiny_model(tmp_path / "m", tokenizer=tokenizer)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    context = f"USER: Name a fruit. ASSISTANT:{end}"
    answers = ("apple", "An apple is a fruit.", "It is deep")
    losses = token_losses(spec_of(folder), [Passage((context, ""), answer) for answer in answers])
    for answer, found in zip(answers, losses, strict=True):
        assert found.status == "ok"
        ids, alone = tokenizer(context + answer)["input_ids"], tokenizer(answer)["input_ids"]
        count = len(found.values[0])
        assert count >= len(alone) - 1 - (end != " ")  # this tokenizer puts a blank before a bare text
        np.testing.assert_allclose(found.values[0], reference(model, ids, len(ids) - count), atol=1e-4)
        np.testing.assert_allclose(found.values[1], reference(model, [1, *ids[-count:]], 1), atol=1e-4)
        if end == " ":
            assert ids[-count:] == alone[1:]


def test_the_script_of_selective_reflection_gives_the_same_numbers(tmp_path: Path) -> None:
    """Its way: the whole text, from as many tokens on as the prompt has by itself; and the bare answer."""
    from tokenizers.processors import TemplateProcessing

    tokenizer = tiny_tokenizer()
    start = tokenizer.convert_tokens_to_ids("<|im_start|>")
    tokenizer._tokenizer.post_processor = TemplateProcessing(
        single="<|im_start|> $A", pair="<|im_start|> $A $B", special_tokens=[("<|im_start|>", start)]
    )
    folder = tiny_model(tmp_path / "m", tokenizer=tokenizer)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    rows = [*ROWS[:3], Pair("Add.", "1\n2", "3"), Pair("Say it", "", "Paris"), Pair("Translate", "Meer", "The sea.")]
    found = IFD(str(folder), template="vicuna").score_rows([[pair] for pair in rows])
    for pair, value in zip(rows, found["ifd_ppl"], strict=True):
        prompt = (
            f"{SYSTEM} USER: {pair.instruction}" + (f"\nInput:\n{pair.input}" if pair.input else "") + " ASSISTANT:"
        )
        whole, bare = (tokenizer(text)["input_ids"] for text in (prompt + pair.response, pair.response))
        given = reference(model, whole, len(tokenizer(prompt)["input_ids"]))
        assert value == pytest.approx(math.exp(given.mean() - reference(model, bare, 1).mean()), abs=2e-4)


def test_a_blank_that_joins_no_word_stays_with_the_prompt(tiny: Path) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    (found,) = token_losses(spec_of(tiny), [Passage(("Say it:\n", ""), "An apple")])
    assert len(found.values[0]) == len(tokenizer("An apple")["input_ids"]) - 1  # the break is none of its tokens


def test_what_was_computed_before_is_read_only_where_no_blank_was_in_the_way(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hfclean.models import losses

    some = [Passage((end, ""), "An apple pie") for end in ("Name it:", "Name it:\n", "Name it: ", "Name it:\t")]
    with monkeypatch.context() as before:
        before.setattr(losses, "VERSION_BEHIND_BLANK", losses.VERSION)  # as the version before this one had it
        token_losses(spec_of(tiny), some)
    process.close()
    asked: list[int] = []
    run = Backbone.losses
    monkeypatch.setattr(Backbone, "losses", lambda self, pool: asked.append(len(pool)) or run(self, pool))
    token_losses(spec_of(tiny), some)
    assert asked == [4]  # both passes of the two that end in a blank


def test_a_folder_may_be_a_path(tiny: Path) -> None:
    assert IFD(tiny) == IFD(str(tiny))  # type: ignore[arg-type]
    assert IFD(tiny).score_rows([[ROWS[0]]]) == IFD(str(tiny)).score_rows([[ROWS[0]]])  # type: ignore[arg-type]


def test_worked_numbers() -> None:
    for below, bare, loss in ((0.696, 0.761, 0.915), (0.601, 6.593, 0.091)):
        values = (np.array([below], np.float32), np.array([bare], np.float32))
        found = hfclean.models.losses.TokenLosses("ok", values)
        assert IFD("m", kind="loss").values(found)[0] == pytest.approx(loss, abs=5e-4)
        assert IFD("m").values(found)[0] == pytest.approx(math.exp(below - bare), abs=1e-6)


def test_the_tokens_that_change_most_are_chosen_by_a_threshold_of_the_dataset(tiny: Path) -> None:
    rows = [{"instruction": p.instruction, "input": p.input, "output": p.response} for p in ROWS[:4]]
    scorer = SelectiveIFD(str(tiny)).fit(rows, percentile=50)
    changes = []
    for pair in ROWS[:4]:
        passage = Passage((f"{pair.instruction}\n" + (f"{pair.input}\n" if pair.input else ""), ""), pair.response)
        (found,) = token_losses(spec_of(tiny), [passage])
        changes.append((found.values[0] - found.values[1]).astype("float64"))
    assert scorer.threshold == pytest.approx(np.percentile(abs(np.concatenate(changes)), 50), abs=1e-6)
    chosen = changes[0][abs(changes[0]) >= scorer.threshold]
    assert scorer.score_rows([ROWS[:1]])["s_ifd"][0] == pytest.approx(math.exp(chosen.mean()), abs=1e-4)
    none = SelectiveIFD(str(tiny), threshold=1e6).score_rows([ROWS[:1]])
    assert (math.isnan(none["s_ifd"][0]), none["s_ifd_reason"]) == (True, ["no_token"])


def test_a_long_template_is_shared_and_changes_no_score(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = IFD(str(tiny), template=f"{'A fruit is a fruit. ' * 4}{{prompt}} ANSWER: ", store=False)
    prefix, begun = Backbone._prefix, []  # type: ignore[var-annotated]
    monkeypatch.setattr(Backbone, "_prefix", lambda self, ids: (begun.append(ids), prefix(self, ids))[1])
    found = scorer.score_rows([[pair] for pair in ROWS[:5]])["ifd_ppl"]
    assert len(begun[-1]) >= 24
    for pair, value in zip(ROWS, found, strict=False):
        given, alone = aligned(tiny, scorer.prompt(pair), pair.response)
        assert value == pytest.approx(math.exp(given.mean() - alone.mean()), abs=1e-4)


def test_reverse_ifd_asks_for_the_instruction(tiny: Path) -> None:
    pair = ROWS[1]
    asked = "{response} <- "
    for scorer, context in (
        (ReverseIFD(str(tiny), guess=asked), f"{pair.response} <- "),
        (ReverseIFD(str(tiny), guess=asked, template="Q: {prompt} A:"), f"Q: {pair.response} <- A:"),
    ):
        given, alone = aligned(tiny, context, f"{pair.instruction}\n{pair.input}")
        assert scorer.score_rows([[pair]])["r_ifd_ppl"][0] == pytest.approx(
            math.exp(given.mean() - alone.mean()), abs=1e-4
        )


@pytest.mark.parametrize("answer", ["", " \n", "\t"])
def test_without_an_answer_there_is_nothing_to_guess_an_instruction_from(tiny: Path, answer: str) -> None:
    for settings in ({}, {"kind": "loss"}, {"template": "vicuna"}, {"guess": "Guess: {response}"}):
        scorer = ReverseIFD(str(tiny), **settings)  # type: ignore[arg-type]
        out = scorer.score_rows([[Pair("Name a fruit.", "", answer)], [ROWS[0]]])
        (name,) = scorer.scores()
        assert math.isnan(out[name][0])
        assert not math.isnan(out[name][1])
        assert out[f"{name}_reason"] == ["empty", ""]


def test_templates_take_any_text_as_text(tiny: Path) -> None:
    hostile = Pair("{input} {response} {if_input:x}", "{instruction}", "An apple")
    assert IFD(str(tiny)).prompt(hostile) == "{input} {response} {if_input:x}\n{instruction}\n"
    assert IFD(str(tiny), template="Q: {prompt} A:").prompt(Pair("a", "b", "c")) == "Q: a\nb A:"
    assert IFD(str(tiny)).prompt(Pair("a", "", "c")) == "a\n"
    with pytest.raises(HfcleanError, match=r"with \{instruction\} or \{prompt\} in it"):
        IFD(str(tiny), template="no place for it")
    for settings in ({"kind": "bits"}, {"variant": "mine"}, {"max_length": 1}):
        with pytest.raises(HfcleanError, match="expected"):
            IFD(str(tiny), **settings)  # type: ignore[arg-type]


# ----------------------------------------------------------------------------------------------------------- datasets


def dataset() -> Dataset:
    return Dataset.from_list(
        [{"instruction": p.instruction, "input": p.input, "output": p.response} for p in ROWS] * 3
    )


def test_it_is_a_transform_and_computes_nothing_twice(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = IFD(str(tiny), verdict=True)
    batched = dataset().map(scorer, batched=True)
    assert set(batched["ifd_ppl_verdict"]) <= {"misaligned", "informative", "easy", ""}
    history = batched[0]["edit_history"]
    for told in ('"max_length": null', '"template": "lines"', '"model": "sha256:', '"by": "IFD"'):
        assert told in history
    process.close()
    monkeypatch.setattr(Backbone, "losses", lambda *_: pytest.fail("computed again"))
    assert dataset().map(scorer)[:] == batched[:]
    changed = hfclean.revise({**batched[0], "output": "An apple.</s>"})
    assert math.isnan(changed["ifd_ppl"])
    assert (changed["ifd_ppl_reason"], changed["ifd_ppl_verdict"]) == ("", "")


def test_workers_forked_after_use_score_too(tiny: Path) -> None:
    scorer = IFD(str(tiny), store=False)
    alone = dataset().map(scorer, batched=True)
    two = dataset().map(scorer, batched=True, num_proc=2)
    np.testing.assert_allclose(two["ifd_ppl"], alone["ifd_ppl"], atol=1e-4)


def test_each_turn_is_scored_behind_those_before_it(tiny: Path) -> None:
    turns = ["Name a fruit.", "An apple is a fruit.", "Another one?", "A pear is a fruit as well."]
    row = {"messages": [{"role": ("user", "assistant")[k % 2], "content": text} for k, text in enumerate(turns)]}
    out = IFD(str(tiny), turns="all")(row)
    first = IFD(str(tiny))({"prompt": turns[0], "completion": turns[1]})["ifd_ppl"]
    given, alone = aligned(tiny, "\n".join([*turns[:3], ""]), turns[3])
    last = math.exp(given.mean() - alone.mean())
    assert out["ifd_ppl_turns"] == pytest.approx([first, last], abs=1e-4)
    assert out["ifd_ppl"] == pytest.approx((first + last) / 2, abs=1e-4)
    assert IFD(str(tiny))(row)["ifd_ppl"] == pytest.approx(last, abs=1e-4)


def test_a_slow_tokenizer_is_refused_with_the_reason(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transformers.PreTrainedTokenizerFast, "is_fast", False)
    with pytest.raises(ModelError, match="use a model with a fast tokenizer"):
        token_losses(spec_of(tiny), [Passage(("a", ""), "b c d")])
