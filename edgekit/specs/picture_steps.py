"""Steps that make a picture of any size a model's input: the part of `preprocess` that changes sizes and colours."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from edgekit.specs.spec import Flag, Spec, Whole

Length = Annotated[Whole, Field(gt=0, le=1 << 14)]
Size = tuple[Length, Length]
"""Height and width."""
Level = Annotated[Whole, Field(ge=0, le=255)]
Kernel = Literal["nearest", "bilinear", "bicubic", "area", "coverage"]
Step = dict[str, Any]


class Resize(Spec):
    """Resizes to a size, or so that the shorter side has a length. docs/preprocessing.md says what each kernel is."""

    size: Size | None = None
    shorter: Length | None = None
    kernel: Kernel
    antialias: Flag = True

    @model_validator(mode="after")
    def _one(self) -> Resize:
        if (self.size is None) == (self.shorter is None):
            raise ValueError("state 'size' = [height, width] or 'shorter', one of them")
        return self


class Letterbox(Spec):
    """Resizes with the proportions kept, and fills up what is left, on both sides or below and to the right."""

    size: Size
    kernel: Kernel
    antialias: Flag = True
    fill: Level = 114
    place: Literal["centre", "corner"] = "centre"


class Crop(Spec):
    """Keeps the middle. `[height, width]` alone states its size."""

    size: Size
    half: Literal["even", "down"] = "even"
    """Rounding where an odd number of pixels goes: to the even number, as torchvision and timm, or down."""

    @model_validator(mode="before")
    @classmethod
    def _size_alone(cls, stated: Any) -> Any:
        return {"size": stated} if isinstance(stated, list | tuple) else stated


class Pad(Spec):
    """Pixels of one level around the picture."""

    top: Whole = Field(default=0, ge=0, le=1 << 14)
    bottom: Whole = Field(default=0, ge=0, le=1 << 14)
    left: Whole = Field(default=0, ge=0, le=1 << 14)
    right: Whole = Field(default=0, ge=0, le=1 << 14)
    fill: Level = 0


class PictureSteps(Spec):
    """Steps in the order in which they are done: colour, then resize or letterbox, crop, pad."""

    colour: Literal["BGR", "grey"] | None = None
    """Order of colours, where it is not RGB; `grey` is the luma of ITU-R BT.601."""
    resize: Resize | None = None
    letterbox: Letterbox | None = None
    crop: Crop | None = None
    pad: Pad | None = None

    @field_validator("colour", mode="before")
    @classmethod
    def _spelling(cls, colour: Any) -> Any:
        return None if colour == "RGB" else colour

    @model_validator(mode="after")
    def _one_resize(self) -> PictureSteps:
        if self.resize and self.letterbox:
            raise ValueError("'resize' and 'letterbox' are both a way to a size: state one of them")
        return self

    @model_serializer(mode="wrap")
    def _without_unstated(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out steps that are not stated: what was built without them keeps its cache keys."""
        values: dict[str, Any] = written(self)
        return {name: value for name, value in values.items() if value is not None or name not in STEPS}

    @property
    def steps(self) -> tuple[Step, ...]:
        """Steps as the runner and the manifest of a bundle take them (`runner/processing/geometry`)."""
        made: list[Step] = [{"colour": self.colour.lower()}] if self.colour else []
        if self.resize:
            how: Step = {"kernel": self.resize.kernel, "antialias": self.resize.antialias}
            size = self.resize.size
            made.append(
                {"resize": {**_sides(size), **how}} if size else {"shorter": {"length": self.resize.shorter, **how}}
            )
        if self.letterbox:
            box = self.letterbox
            how = {"kernel": box.kernel, "antialias": box.antialias, "fill": box.fill}
            made.append({"letterbox": {**_sides(box.size), **how, "corner": box.place == "corner"}})
        if self.crop:
            made.append({"crop": {**_sides(self.crop.size), **({"even": True} if self.crop.half == "even" else {})}})
        if self.pad:
            made.append({"pad": self.pad.model_dump()})
        return tuple(made)

    def check_size(self, height: int, width: int) -> None:
        """Raise ValueError if the steps end at another size than the model takes."""
        size = self._last_size()
        if size is None or not (self.resize or self.letterbox or self.crop or self.pad):
            return
        if size != (height, width):
            raise ValueError(
                f"'preprocess' gives pictures of [{size[0]}, {size[1]}], 'shape' states [{height}, {width}]"
            )

    def _last_size(self) -> tuple[int, int] | None:
        """Height and width at which the steps end; None where that is the picture's."""
        box = self.letterbox or self.resize
        size = box.size if box else None
        if self.resize and self.resize.shorter and not self.crop:
            raise ValueError("after 'shorter' the other side has any length: add crop = [height, width]")
        crop = self.crop.size if self.crop else None
        if crop and size and (crop[0] > size[0] or crop[1] > size[1]):
            raise ValueError(f"'crop' {list(crop)} is larger than the size before it, {list(size)}")
        if crop and self.resize and self.resize.shorter and max(crop) > self.resize.shorter:
            raise ValueError(f"'crop' {list(crop)} is larger than 'shorter', {self.resize.shorter}")
        size = crop or size
        if self.pad and size:
            size = (size[0] + self.pad.top + self.pad.bottom, size[1] + self.pad.left + self.pad.right)
        return size


STEPS = frozenset(PictureSteps.model_fields)


def _sides(size: Size) -> dict[str, int]:
    return {"height": size[0], "width": size[1]}
