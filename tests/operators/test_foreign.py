"""Operators of other packages: the real ones that are here, and the shapes of those that are not."""

from __future__ import annotations

import astra
import numpy as np
import pytest
import torch
from laws import smooth_phantom
from scipy.sparse.linalg import LinearOperator as ScipyOperator

import resample_ct as rct
from resample_ct.errors import OptionError
from resample_ct.operators import adapt

SIZE, VIEWS = 32, 20
OURS = rct.parallel_beam(SIZE, VIEWS)
IMAGE = smooth_phantom(SIZE)
HU = IMAGE[0, 0].numpy() * 3000 - 1000


@pytest.fixture(scope="module")
def opto():
    """ASTRA's own operator of the same rays."""
    geometry = OURS.geometry
    volume = astra.create_vol_geom(SIZE, SIZE)
    rays = astra.create_proj_geom("parallel", 1.0, geometry.n_detectors, np.array(geometry.angles))
    projector = astra.create_projector("linear", rays, volume)
    yield astra.OpTomo(projector)
    astra.projector.delete(projector)


def as_scipy():
    rows, columns = np.prod(OURS.range_shape), np.prod(OURS.domain_shape)

    def apply(function, shape):
        return lambda v: function(torch.from_numpy(v.reshape(1, 1, *shape)).float()).numpy().ravel()

    return ScipyOperator(
        (rows, columns),
        matvec=apply(OURS.forward, OURS.domain_shape),
        rmatvec=apply(OURS.adjoint, OURS.range_shape),
    )


class LikeDeepinv:
    """deepinv's physics: A and A_adjoint on batches of tensors."""

    img_width = SIZE

    def A(self, x):
        return OURS(x)

    def A_adjoint(self, y):
        return OURS.adjoint(y)


class LikeTomosipo:
    """tomosipo's operator: a call and T on volumes of one slice."""

    domain_shape, range_shape = (1, SIZE, SIZE), (1, *OURS.range_shape)

    def __call__(self, x):
        return OURS(torch.as_tensor(x)[None])[0]

    def T(self, y):
        return OURS.adjoint(torch.as_tensor(y)[None])[0]


class LikeODL:
    """ODL's operator: a call and adjoint on arrays, and spaces that have shapes."""

    domain, range = np.zeros(OURS.domain_shape), np.zeros(OURS.range_shape)

    def __call__(self, x):
        return OURS(torch.as_tensor(x)[None, None])[0, 0].numpy()

    def adjoint(self, y):
        return OURS.adjoint(torch.as_tensor(y)[None, None])[0, 0].numpy()


def test_ours_stays_as_it_is():
    assert adapt(OURS) is OURS


def test_astra_is_the_same_operator_and_reconstructs(opto):
    operator = adapt(opto)
    assert (operator.domain_shape, operator.range_shape) == (OURS.domain_shape, OURS.range_shape)
    torch.testing.assert_close(operator(IMAGE), OURS(IMAGE), atol=1e-3, rtol=1e-3)
    scan = rct.simulate(HU, opto, seed=1)
    theirs, ours = (rct.reconstruct(rct.simulate(HU, a, seed=1), "tv").hu for a in (opto, OURS))
    assert (np.abs(theirs - ours).max() < 5 and "OpTomo" in scan.rays) or "Foreign" in scan.rays


@pytest.mark.parametrize(
    "foreign", [LikeDeepinv(), LikeTomosipo(), LikeODL()], ids=lambda o: type(o).__name__
)
def test_every_way_of_an_adjoint_is_known(foreign):
    operator = adapt(foreign)
    x = torch.cat([IMAGE, IMAGE.flip(-1)])
    torch.testing.assert_close(operator(x), OURS(x))
    torch.testing.assert_close(operator.T(OURS(x)), OURS.T(OURS(x)))
    assert operator.range_shape == OURS.range_shape


def test_scipy_is_told_its_shapes():
    operator = adapt(as_scipy(), OURS.domain_shape, OURS.range_shape)
    torch.testing.assert_close(operator(IMAGE), OURS(IMAGE))
    with pytest.raises(OptionError, match="its shapes are not known; give domain_shape"):
        adapt(as_scipy())
    with pytest.raises(OptionError, match="domain_shape: found"):
        adapt(as_scipy(), (SIZE, SIZE - 1), OURS.range_shape)


def test_gradient_is_the_foreign_adjoint():
    x = IMAGE.clone().requires_grad_()
    y = torch.rand(1, 1, *OURS.range_shape, generator=torch.Generator().manual_seed(0))
    (adapt(LikeODL())(x) * y).sum().backward()
    torch.testing.assert_close(x.grad, OURS.adjoint(y))


def test_adjoint_that_is_none_is_refused():
    class Wrong(LikeODL):
        def adjoint(self, y):
            return 2 * super().adjoint(y)

    with pytest.raises(
        OptionError, match=r"operator Wrong: <A x, y> is .*its adjoint is not the forward's"
    ):
        adapt(Wrong())


def test_what_has_no_adjoint_is_refused():
    with pytest.raises(OptionError, match="operator list: found no forward and adjoint"):
        rct.simulate(HU, [1, 2])


def test_method_that_needs_rays_says_so():
    with pytest.raises(OptionError, match="expected a projector of rays"):
        rct.reconstruct(rct.simulate(HU, LikeODL()), "fbp")
