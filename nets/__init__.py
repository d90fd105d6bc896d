"""Networks with hand-written passes: multilayer perceptrons, their losses and their predictive distributions."""

from . import single
from .activations import ACTIVATIONS
from .losses import LOSSES, Bernoulli, Categorical, Normal
from .model import Act, Batch, Dense, Layer, Model, init, layer_shapes, layers, mlp, tensors
from .passes import Back, Tape, backward, forward, output_hessian, pre_gradients, predictive, sample_targets, weight_gradient

__all__ = ["ACTIVATIONS", "LOSSES", "Act", "Back", "Batch", "Bernoulli", "Categorical", "Dense", "Layer", "Model",
           "Normal", "Tape", "backward", "forward", "init", "layer_shapes", "layers", "mlp", "output_hessian",
           "pre_gradients", "predictive", "sample_targets", "single", "tensors", "weight_gradient"]
