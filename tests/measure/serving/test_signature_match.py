"""How a served model is matched with the project's, by its metadata alone."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

import numpy as np
import pytest

from edgekit.errors import ModelMismatch, ServerFailed
from edgekit.measure.serving.bounded_http import Reply
from edgekit.measure.serving.open_inference import Access, ServedTensor, ServerMetadata, Statistics, statistics_of
from edgekit.measure.serving.requests import Requests, _failed_first
from edgekit.measure.serving.signature_match import match_signature, preprocessed
from edgekit.specs.inputs import Input
from edgekit.specs.preprocess import Preprocess
from edgekit.specs.project import Project
from edgekit.specs.reference import Address
from tests.reference_servers import digits

RAW, TRAINED = ServedTensor("image", "UINT8", (-1, 8, 8, 1)), ServedTensor("image", "FP32", (-1, 1, 8, 8))
SCORES = ServedTensor("scores", "FP32", (-1, 10))


def described(inputs: Sequence[ServedTensor], outputs: Sequence[ServedTensor] = (SCORES,)) -> ServerMetadata:
    return ServerMetadata("server 1", (), tuple(inputs), tuple(outputs))


def named(*outputs: str) -> Project:
    project = digits()
    return project.model_copy(update={"model": project.model.model_copy(update={"outputs": outputs})})


def test_raw_samples_are_sent_as_they_are_and_others_preprocessed() -> None:
    assert match_signature(digits(), described([RAW])).inputs[0].preprocess is None
    assert match_signature(digits(), described([TRAINED])).inputs[0].preprocess == digits().inputs["image"].preprocess


def test_a_batch_axis_of_one_takes_one_at_a_time() -> None:
    assert match_signature(digits(), described([ServedTensor("image", "UINT8", (1, 8, 8, 1))])).single
    assert not match_signature(digits(), described([RAW])).single


def test_sizes_that_the_server_leaves_open_fit() -> None:
    assert (
        match_signature(digits(), described([ServedTensor("image", "UINT8", (-1, -1, -1, 1))])).inputs[0].served
        == "image"
    )


def test_the_only_input_and_the_only_output_may_be_called_otherwise() -> None:
    edges = match_signature(digits(), described([ServedTensor("x", "UINT8", (-1, 8, 8, 1))]))
    assert edges.inputs[0].served == "x"
    assert edges.outputs == {"output": SCORES}


def test_several_outputs_go_by_their_names_and_those_not_stated_are_not_asked_for() -> None:
    given = [
        ServedTensor("logits", "FP32", (-1, 10)),
        ServedTensor("boxes", "INT64", (-1, 4)),
        ServedTensor("text", "BYTES", (-1,)),
    ]
    assert match_signature(named("boxes", "logits"), described([RAW], given)).outputs == {
        "boxes": given[1],
        "logits": given[0],
    }
    counted = [ServedTensor("output_0", "FP32", (-1, 10)), ServedTensor("output_1", "FP32", (-1, 4))]
    assert set(match_signature(digits(), described([RAW], counted)).outputs) == {"output_0", "output_1"}


@pytest.mark.parametrize(
    ("description", "said"),
    [
        (described([]), "does not say what the model takes"),
        (described([RAW], []), "does not say what the model takes"),
        (described([ServedTensor("image", "UINT8", (8, 8, 1))]), r"is UINT8\[8, 8, 1\]"),
        (described([ServedTensor("image", "UINT8", (4, 8, 8, 1))]), r"is UINT8\[4, 8, 8, 1\]"),
        (described([ServedTensor("image", "FP32", (-1, 8, 8, 1))]), r"is UINT8\[-1, 8, 8, 1\] or FP32\[-1, 1, 8, 8\]"),
        (described([RAW, ServedTensor("mask", "BOOL", (-1, 8))]), "takes 'mask', which the project does not state"),
        (
            described([RAW], [ServedTensor("text", "BYTES", (-1,))]),
            r"'text' of the served model is BYTES\[-1\], no numbers",
        ),
    ],
)
def test_what_does_not_fit_is_named(description: ServerMetadata, said: str) -> None:
    with pytest.raises(ModelMismatch, match=said):
        match_signature(digits(), description)


def test_the_nearest_name_is_told() -> None:
    given = [ServedTensor("logits", "FP32", (-1, 10)), ServedTensor("boxes", "FP32", (-1, 4))]
    stated = r"no output 'logit'; it has 'logits' FP32\[-1, 10\], 'boxes' FP32\[-1, 4\]"
    with pytest.raises(ModelMismatch, match=stated) as refused:
        match_signature(named("logit", "boxes"), described([RAW], given))
    assert refused.value.hint == "did you mean 'logits'?"


@pytest.mark.parametrize(("answer", "said"), [(np.float32(1), r"\[\]"), (np.zeros((2, 3), np.float32), r"\[2, 3\]")])
def test_an_answer_without_a_row_a_sample_is_refused(answer: np.ndarray, said: str) -> None:
    class Short:
        def infer(self, prepared: object, outputs: object) -> dict[str, np.ndarray]:
            return {"scores": np.asarray(answer)}

    asking = Requests(
        Access(Address.parse("http://server:1/v2/models/digits"), 1.0), match_signature(digits(), described([RAW]))
    )
    with pytest.raises(ServerFailed, match=f"answered {said} as 'scores' to 1 samples"):
        asking.answer(Short(), None, 1)  # type: ignore[arg-type]


def test_what_went_wrong_is_told_before_what_was_missed_since() -> None:
    well, wrong = Future[int](), Future[int]()
    well.set_result(1)
    wrong.set_exception(ServerFailed("no"))
    assert _failed_first([well, wrong]) == [wrong, well]


def test_preprocessing_here_is_that_of_the_graph() -> None:
    torch = pytest.importorskip("torch")
    from edgekit.frontend.preprocess import Pixels

    how = Preprocess.model_validate(
        {"from": "uint8 NHWC", "scale": 1 / 255, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    )
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), np.uint8)
    here = preprocessed(pixels, how)
    assert here.flags.c_contiguous
    assert (here.shape, here.dtype) == ((4, 3, 5, 6), np.dtype(np.float32))
    np.testing.assert_allclose(here, Pixels(how)(torch.from_numpy(pixels)).numpy(), rtol=1e-6, atol=1e-6)
    assert Input(shape=(3, 5, 6), preprocess=how).raw_shape == pixels.shape[1:]


def test_what_a_server_has_counted_is_summed_over_versions_of_a_model() -> None:
    def stats(count: object, ns: object) -> dict[str, object]:
        parts = ("queue", "compute_input", "compute_infer", "compute_output")
        return {"inference_stats": {"success": {"count": count}, **{part: {"ns": ns} for part in parts}}}

    one, other = stats("3", "100"), stats(4, 10)
    assert statistics_of({"model_stats": [one]}) == Statistics(3, 100, 300)
    assert statistics_of({"model_stats": [one, other]}) == Statistics(7, 110, 330)
    assert statistics_of({"model_stats": [{"inference_stats": {}}]}) == Statistics(0, 0, 0)
    assert statistics_of({"model_stats": []}) is statistics_of({}) is None
    assert Statistics(7, 110, 330).since(Statistics(3, 100, 300)) == Statistics(4, 10, 30)


def test_names_of_headers_are_of_any_case() -> None:
    reply = Reply(200, "OK", {"Other": "a", "Inference-Header-Content-Length": "7"}, b"")
    assert reply.header("inference-header-content-length") == "7"
    assert reply.header("Retry-After") is None
