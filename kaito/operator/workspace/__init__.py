"""The workspace controller.

from kaito.operator.workspace import add_workspace_controller
"""

from kaito.operator.workspace.wiring import add_workspace_controller

__all__ = ["add_workspace_controller"]
