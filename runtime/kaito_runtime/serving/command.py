"""`kaito-runtime serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from kaito_runtime import paths
from kaito_runtime.errors import UsageFailure


def serve(
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "--pretrained-model-name-or-path",
            "--pretrained_model_name_or_path",
            help="What to serve: a folder, a GGUF file, a Hugging Face id, or tiny:ARCHITECTURE (built on first use).",
        ),
    ] = paths.WEIGHTS,
    adapter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=DIR[@STRENGTH]",
            help="Serve this LoRA adapter too, at a strength from 0 to 1 [1]; repeatable.",
        ),
    ] = None,
    adapters_dir: Annotated[
        str,
        typer.Option(
            "--adapters-dir",
            "--kaito-adapters-dir",
            help="Serve every adapter found in a sub-folder of this folder; it may be missing.",
        ),
    ] = paths.ADAPTERS,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one and logs it.")
    ] = 5000,
    served_model_name: Annotated[
        str | None,
        typer.Option(
            "--served-model-name",
            "--served_model_name",
            help="The base model's name in requests; by default what --model says.",
        ),
    ] = None,
    engine: Annotated[
        str, typer.Option(help="auto, transformers or vllm. auto: vllm where it is installed and there is a GPU.")
    ] = "auto",
    dtype: Annotated[
        str,
        typer.Option(
            "--dtype",
            "--torch-dtype",
            "--torch_dtype",
            help="Weights: auto, float32, bfloat16 or float16. auto: float32 on a CPU.",
        ),
    ] = "auto",
    device: Annotated[
        str, typer.Option("--device", "--device-map", "--device_map", help="auto, cpu, cuda or cuda:N.")
    ] = "auto",
    load_in_4bit: Annotated[
        bool,
        typer.Option("--load-in-4bit", "--load_in_4bit", help="Quantise the base weights to 4 bits while loading."),
    ] = False,
    load_in_8bit: Annotated[
        bool,
        typer.Option("--load-in-8bit", "--load_in_8bit", help="Quantise the base weights to 8 bits while loading."),
    ] = False,
    chat_template: Annotated[
        str | None,
        typer.Option(
            "--chat-template", "--chat_template", help="A Jinja file, or a template itself, instead of the model's own."
        ),
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Revision of a Hugging Face repository.")] = None,
    trust_remote_code: Annotated[
        bool,
        typer.Option("--trust-remote-code", "--trust_remote_code", help="Run Python code that comes with the model."),
    ] = False,
    max_model_len: Annotated[
        str | None,
        typer.Option("--max-model-len", help="Longest prompt and answer together, in tokens; auto: the model's own."),
    ] = None,
    max_num_seqs: Annotated[
        int, typer.Option("--max-num-seqs", min=1, max=1024, help="Most requests that generate at the same time.")
    ] = 32,
    max_queue: Annotated[
        int, typer.Option(min=0, help="Most requests that wait beside them; further ones get 429 and Retry-After.")
    ] = 256,
    timeout: Annotated[
        float, typer.Option(min=0, help="Seconds for one request, waiting included; afterwards 408. 0: no limit.")
    ] = 600.0,
    drain_timeout: Annotated[
        float, typer.Option(min=0, help="Seconds that accepted requests get to finish after SIGTERM.")
    ] = 25.0,
    default_max_tokens: Annotated[
        int, typer.Option(min=1, help="New tokens for /v1 requests that set no limit (/chat: 256).")
    ] = 1024,
    max_body_mib: Annotated[float, typer.Option(min=0.001, help="Largest request body in MiB; beyond it 413.")] = 8.0,
    kv_cache_gib: Annotated[
        float | None, typer.Option(min=0.001, help="Most memory for keys and values; by default 40 % of what is free.")
    ] = None,
    gpu_memory_utilization: Annotated[
        float | None, typer.Option(min=0.01, max=1.0, help="vllm only: share of GPU memory to use.")
    ] = None,
    allow_adapter_loading: Annotated[
        bool,
        typer.Option(
            help="Allow POST /v1/load_lora_adapter and /v1/unload_lora_adapter, which read folders of this machine."
        ),
    ] = False,
    access_log: Annotated[bool, typer.Option(help="Log every request.")] = False,
    config_file: Annotated[
        str | None,
        typer.Option(
            "--config-file",
            "--kaito-config-file",
            help="Kaito's inference_config.yaml: max-model-len and others of its vllm section.",
        ),
    ] = None,
    pipeline: Annotated[str, typer.Option(hidden=True)] = "text-generation",
    combination_type: Annotated[str, typer.Option("--combination-type", "--combination_type", hidden=True)] = "cat",
    allow_remote_files: Annotated[
        bool, typer.Option("--allow-remote-files", "--allow_remote_files", hidden=True)
    ] = True,
    enable_lora: Annotated[bool, typer.Option("--enable-lora", hidden=True)] = True,
) -> None:
    """Serve a model, with adapters, over HTTP.

    One port answers Kaito's /chat (`{"prompt": "…"}`) and OpenAI's API (/v1/chat/completions, /v1/completions,
    /v1/responses, /v1/models). /health is 503 until the model is loaded, then 200. /metrics is JSON, or Prometheus
    text where the Accept header asks.

    Adapters are chosen per request by `model`: no model is all adapters at their strengths, merged exactly; the base
    model's name is the base alone; an adapter's name is that adapter. Strengths come from @STRENGTH, from
    KAITO_ADAPTER_STRENGTHS (a JSON object of names and numbers), or from an environment variable of the adapter's
    name.

    SIGTERM: /health becomes 503, accepted requests finish, the process ends. Requests beyond --max-num-seqs wait,
    beyond --max-queue they are refused with 429.

    Exit codes: 0 stopped; 2 usage, or an address that cannot be had; 64 bad configuration; 65 a model or adapter that
    cannot be used; 66 not found; 69 hub unavailable; 77 refused; 1 anything else.
    """
    from .configuring import build_settings

    settings = build_settings(
        model=model,
        adapters=adapter or [],
        adapters_dir=adapters_dir,
        host=host,
        port=port,
        served_model_name=served_model_name,
        engine=engine,
        dtype=dtype,
        device=device,
        bits=_bits(load_in_4bit, load_in_8bit),
        chat_template=chat_template,
        revision=revision,
        trust_remote_code=trust_remote_code,
        max_model_len=max_model_len,
        max_num_seqs=max_num_seqs,
        max_queue=max_queue,
        timeout=timeout,
        drain_timeout=drain_timeout,
        default_max_tokens=default_max_tokens,
        max_body_mib=max_body_mib,
        kv_cache_gib=kv_cache_gib,
        gpu_memory_utilization=gpu_memory_utilization,
        allow_adapter_loading=allow_adapter_loading,
        access_log=access_log,
        config_file=None if config_file is None else Path(config_file),
        pipeline=pipeline,
        combination_type=combination_type,
    )
    from .lifecycle import run

    run(settings)


def _bits(four: bool, eight: bool) -> Literal[4, 8] | None:
    if four and eight:
        raise UsageFailure("--load-in-4bit and --load-in-8bit exclude each other")
    return 4 if four else 8 if eight else None
