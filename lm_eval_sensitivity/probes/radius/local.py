"""One state seen through the head: its distribution, products with its curvature, rays and nearest boundary."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.probes.radius.curvature import Top, fisher_product, top_direction
from lm_eval_sensitivity.probes.radius.head import Head
from lm_eval_sensitivity.probes.radius.ray import Ray

Floats = NDArray[np.float64]
Side = Literal["pre", "post"]
EQUAL_ROWS = 1e-6
"""Distance of two rows of the output embedding, over the length of one, below which they are the same row twice."""


class Local:
    """A state at which radii are asked for.

    Args:
        head: of the model.
        residual: [width] the state before the final norm.
        side: whether directions live before the norm (`pre`) or after it (`post`).
    """

    def __init__(self, head: Head, residual: Floats, side: Side) -> None:
        self._head, self._norm, self._residual = head, head.norm, residual
        self._side = side
        self._centered = head.norm.centered(residual)
        self._root = math.sqrt(float(head.norm.squared(residual)))
        self.hidden = head.norm(residual)
        """[width] after the norm."""

    @property
    def state(self) -> Floats:
        """[width] on the side that was asked for."""
        return self._residual if self._side == "pre" else self.hidden

    @cached_property
    def length(self) -> float:
        """Euclidean length of the state: the unit of every relative radius."""
        return float(np.linalg.norm(self.state))

    def to(self, residual: Floats) -> Floats:
        """[width] from this state to another one, given before the norm, on the side that was asked for."""
        moved: Floats = (residual if self._side == "pre" else self._norm(residual)) - self.state
        return moved

    @cached_property
    def _start(self) -> Floats:
        vector = self._norm.gain * self._centered if self._side == "pre" else self.hidden
        start: Floats = self._head.rows.times(vector[None], precise=True)[0]
        return start

    def rays(self, directions: Floats) -> list[Ray]:
        """Rays along directions [direction, width]; one pass over the output embedding for all of them."""
        inside = self._norm.centered(directions) if self._side == "pre" else directions
        gain = self._norm.gain if self._side == "pre" else 1.0
        toward = self._head.rows.times(gain * inside)
        return [self._ray(*each) for each in zip(toward, inside, strict=True)]

    def _ray(self, toward: Floats, inside: Floats) -> Ray:
        scale, cap = self._head.scale, self._head.soft_cap
        if self._side == "post":
            return Ray(self._start, toward, offset=self._head.bias, scale=scale, soft_cap=cap)
        width = len(inside)
        quadratic = (
            self._root**2,
            2 * float(self._centered @ inside) / width,
            float(inside @ inside) / width,
        )
        return Ray(self._start, toward, quadratic, self._head.offset, scale, cap)

    @cached_property
    def still(self) -> Ray:
        """The ray that goes nowhere: logits and probabilities of the state itself."""
        return self._ray(np.zeros_like(self._start), np.zeros_like(self._residual))

    @cached_property
    def _gates(self) -> Floats | float:
        """[vocabulary] derivative of the logits in what the output embedding gives."""
        cap, scale = self._head.soft_cap, self._head.scale
        return scale if cap is None else scale * (1 - (self.still.here / cap) ** 2)

    def curvature_product(self, vector: Floats) -> Floats:
        """[width] J' (diag p - p p') J v of a vector v [width], J the derivative of the logits in the state.

        Two products with the output embedding, in float32.
        """
        change = self._gates * self._head.rows.times(self._through_norm(vector)[None])[0]
        back = self._head.rows.transposed(self._gates * fisher_product(self.still.probabilities, change))
        return self._back_through_norm(back)

    def _through_norm(self, vector: Floats) -> Floats:
        if self._side == "post":
            return vector
        inside = self._norm.centered(vector)
        along = self._centered * float(self._centered @ inside) / (len(vector) * self._root**2)
        moved: Floats = self._norm.gain * (inside - along) / self._root
        return moved

    def _back_through_norm(self, vector: Floats) -> Floats:
        if self._side == "post":
            return vector
        inside = self._norm.gain * vector
        along = self._centered * float(self._centered @ inside) / (len(vector) * self._root**2)
        return self._norm.centered((inside - along) / self._root)

    def top(self, start: Floats, steps: int) -> Top:
        """The direction of largest curvature, by Lanczos from a vector [width]."""
        return top_direction(self.curvature_product, start, steps)

    @cached_property
    def top_token(self) -> int:
        """The most probable token; of equal ones the first."""
        return int(self.still.here.argmax())

    @cached_property
    def margin(self) -> float:
        """Logit of the most probable token over the second, nats."""
        first, second = -np.partition(-self.still.here, 1)[:2]
        return float(first - second)

    @cached_property
    def argmax_radius(self) -> float:
        """How far the state after the norm is from where another token becomes the most probable one. Exact.

        Formula: min over j of (u_i - u_j) / |w_i - w_j|, u the logits before scale and cap, w rows of the output
        embedding. Range: [0, inf]. Unit: that of the state after the norm.
        """
        row = self._head.rows.row(self.top_token)
        far = self._head.rows.distances(row)
        # No state tells two equal rows apart.
        other = far > EQUAL_ROWS * float(np.linalg.norm(row))
        before = self._before_scale
        return float(((before[self.top_token] - before)[other] / far[other]).min(initial=math.inf))

    @cached_property
    def _before_scale(self) -> Floats:
        """[vocabulary] what the output embedding gives, before scale and cap."""
        if self._side == "post":
            return self._start + self._head.bias
        return self._start / self._root + self._head.offset

    @cached_property
    def constraint_bound(self) -> float:
        """1 / |J_W|_F, the bound of the token constraint at eps = 1, without its eps.

        Formula: |J_W|_F^2 = sum of p_i^2 |g_i w_i - mu|^2 with mu = sum of p_j g_j w_j, g the derivative through scale
        and cap. Range: (0, inf]. Unit: that of the state after the norm, per eps.
        Source: "How stable is the next token?", arXiv 2602.10816. Deviation: g, which is 1 there.
        """
        p, gates = self.still.probabilities, self._gates * np.ones_like(self.still.here)
        # The most probable token's part is added apart: the mean is next to it where the model is certain.
        own = p * gates
        largest, own[self.top_token] = own[self.top_token], 0.0
        mean = largest * self._head.rows.row(self.top_token) + self._head.rows.transposed(own)
        total = float(p**2 @ self._head.rows.distances(mean, gates) ** 2)
        return 1 / math.sqrt(total) if total > 0 else math.inf
