#!/bin/sh
# Installs the three distributions and what they need into the active virtual environment.
#
#   ./setup.sh        what a run needs
#   ./setup.sh dev    what the tests need too
#
# On Linux the public index has torch with CUDA (gigabytes); the CPU build comes from PyTorch's own index, or from
# wherever TORCH_INDEX says (empty: no further index, pip's own settings decide).
set -eu
cd "$(dirname "$0")"
python=$(command -v python || command -v python3)
"$python" -c 'import sys; sys.exit(sys.prefix == sys.base_prefix)' || {
  echo "setup.sh: no virtual environment is active; make one with: python3 -m venv .venv && . .venv/bin/activate" >&2
  exit 2
}
index=${TORCH_INDEX-https://download.pytorch.org/whl/cpu}
"$python" -m pip install --quiet ${index:+--retries 0 --extra-index-url "$index"} --constraint constraints.txt torch
requirements=requirements.txt
[ "${1-}" = dev ] && requirements=requirements-dev.txt
"$python" -m pip install --quiet --constraint constraints.txt --requirement "$requirements"
