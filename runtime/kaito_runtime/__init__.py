"""Tunes and serves language models: what runs on the GPU of a Kaito workspace, or on a laptop's CPU.

The rooms: `downloading` (files and model repositories), `images` (adapter images in OCI registries), `models`
(stand-ins, resolving and loading), `tuning` and `serving`. Only `tuning`, `serving` and the building and loading of
models import torch; everything else starts in a fraction of a second.
"""

__version__ = "0.1.0"
