"""The colors of a heatmap: one color whose strength says how far, from the page's own to the strongest.

Lightness alone says it, so that the map survives a copier. On a dark page the scale begins dark.
"""

from __future__ import annotations

from dataclasses import dataclass

STEPS = 10
Color = tuple[float, float, float]
_LIGHT: tuple[Color, Color] = ((0.93, 0.95, 0.98), (0.06, 0.20, 0.42))
_DARK: tuple[Color, Color] = ((0.09, 0.12, 0.15), (0.68, 0.84, 0.98))


@dataclass(frozen=True)
class Shade:
    """One step."""

    light: str
    """On a light page, as `#rrggbb`."""
    dark: str
    light_letters: str
    """Of the number on it: black or white, and a little else in each step, by which a style sheet knows it."""
    dark_letters: str


def shade_of(share: float) -> Shade:
    """The step of a number.

    Args:
        share: of the largest number, from 0 to 1.

    Example:
        >>> shade_of(0.0).light, shade_of(1.0).light, shade_of(1.0).light_letters
        ('#edf2fa', '#0f336b', '#fffff6')
    """
    return SHADES[min(int(share * STEPS), STEPS - 1)]


def _between(ends: tuple[Color, Color], share: float) -> Color:
    red, green, blue = (first + (last - first) * share for first, last in zip(*ends, strict=True))
    return red, green, blue


def _written(color: Color) -> str:
    return "#" + "".join(f"{round(255 * each):02x}" for each in color)


def _letters_on(shade: Color, step: int) -> str:
    """White or black, whichever stands out more by the contrast ratio of the web's accessibility guidelines."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shade]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    is_white = 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05
    return f"#ffff{0xFF - step:02x}" if is_white else f"#1111{0x11 + step:02x}"


def _shade(step: int) -> Shade:
    light, dark = (_between(ends, step / (STEPS - 1)) for ends in (_LIGHT, _DARK))
    return Shade(_written(light), _written(dark), _letters_on(light, step), _letters_on(dark, step))


SHADES = tuple(map(_shade, range(STEPS)))
