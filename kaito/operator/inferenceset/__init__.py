"""The InferenceSet controller: as many equal inference workspaces as are asked for.

from kaito.operator.inferenceset import add_inference_set_controller
"""

from kaito.operator.inferenceset.wiring import add_inference_set_controller

__all__ = ["add_inference_set_controller"]
