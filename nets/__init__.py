"""Networks with hand-written passes: layers, dense and convolutional, their losses and their predictive distributions."""

from . import jacobian, single, taylor
from .activations import ACTIVATIONS
from .builders import lenet5, small_resnet, small_vgg
from .losses import LOSSES, Bernoulli, Categorical, Normal
from .model import (
    Batch,
    Layer,
    Model,
    Norm,
    batches,
    check_params,
    cnn,
    expect_mlp,
    expect_no_batch_norm,
    expect_uncoupled,
    init,
    layer_shapes,
    layers,
    mlp,
    positions,
    tensors,
)
from .passes import (
    Back,
    Tape,
    backward,
    batch_stats,
    forward,
    gradients,
    mean_loss,
    norm_gradient,
    output_factor,
    output_gradient,
    output_hessian,
    pre_gradients,
    predictive,
    sample_targets,
    weight_gradient,
)
from .records import Act, AvgPool, BatchNorm, Conv2d, Dense, Flatten, MaxPool, Residual
from .rules import Moments

__all__ = ["ACTIVATIONS", "LOSSES", "Act", "AvgPool", "Back", "Batch", "BatchNorm", "Bernoulli", "Categorical", "Conv2d",
           "Dense", "Flatten", "Layer", "MaxPool", "Model", "Moments", "Norm", "Normal", "Residual", "Tape", "backward",
           "batch_stats", "batches", "check_params", "cnn", "expect_mlp", "expect_no_batch_norm", "expect_uncoupled",
           "forward", "gradients", "init", "jacobian", "layer_shapes", "layers", "lenet5", "mean_loss", "mlp", "norm_gradient",
           "output_factor", "output_gradient", "output_hessian", "positions", "pre_gradients", "predictive", "sample_targets",
           "single", "small_resnet", "small_vgg", "taylor", "tensors", "weight_gradient"]
