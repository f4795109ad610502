from pathlib import Path
from typing import Any

import pytest
from kaito_runtime.errors import BadConfig
from kaito_runtime.tuning.configuration import load_document, parse_config
from kaito_runtime.tuning.defaults import stand_in_template, template

QLORA: dict[str, Any] = {
    "ModelConfig": {"torch_dtype": "bfloat16", "local_files_only": True, "device_map": "auto"},
    "QuantizationConfig": {
        "load_in_4bit": True,
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_compute_dtype": "bfloat16",
        "bnb_4bit_use_double_quant": True,
    },
    "LoraConfig": {"r": 8, "lora_alpha": 8, "lora_dropout": 0.0},
    "TrainingArguments": {
        "output_dir": "/mnt/results",
        "ddp_find_unused_parameters": False,
        "save_strategy": "no",
        "per_device_train_batch_size": 1,
    },
    "DataCollator": {"mlm": True},
    "DatasetConfig": {"shuffle_dataset": True, "train_test_split": 1},
}


def test_upstreams_template_is_understood() -> None:
    config = parse_config(QLORA, source="c.yaml")
    assert config.method == "qlora"
    quantization = config.base_quantization()
    assert quantization is not None
    assert (quantization.bits, quantization.kind, quantization.double) == (4, "nf4", True)
    assert config.training.learning_rate == 2e-5
    assert config.training.num_train_epochs == 3
    assert config.training.max_length == 1024
    assert config.ignored == ()


@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_our_own_templates_are_valid(method: Any) -> None:
    assert parse_config(template(method), source="t", method=method).method == method
    assert parse_config(stand_in_template(method), source="t", method=method).method == method


def test_missing_sections_mean_upstreams_defaults() -> None:
    config = parse_config({}, source="c.yaml")
    assert config.method == "lora"
    assert (config.lora.r, config.lora.lora_alpha) == (8, 8)
    assert config.quantization.bnb_4bit_quant_type == "fp4"
    assert config.dataset.train_test_split == 0.8
    assert config.dataset.shuffle_seed == 42


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"TrainingArgument": {}}, r"c.yaml: unknown section 'TrainingArgument'; did you mean TrainingArguments\?"),
        ({"LoraConfig": {"rank": 8}}, r"unknown key LoraConfig.rank; did you mean rank_pattern\?"),
        (
            {"TrainingArguments": {"learning_rat": 1}},
            r"unknown key TrainingArguments.learning_rat; did you mean learning_rate\?",
        ),
        ({"TrainingArguments": {"max_steps": "many"}}, "TrainingArguments.max_steps: 'many' is not a whole number"),
        ({"TrainingArguments": {"max_steps": 1.5}}, "max_steps: 1.5 is not a whole number"),
        ({"TrainingArguments": {"packing": 3}}, "packing: 3 is not true or false"),
        ({"TrainingArguments": {"deepspeed": "x.json"}}, "TrainingArguments.deepspeed is not supported here"),
        ({"QuantizationConfig": {"load_in_4bit": True, "load_in_8bit": True}}, "exclude each other"),
        ({"QuantizationConfig": {"bnb_4bit_quant_type": "int4"}}, "must be nf4 or fp4"),
        ({"DatasetConfig": {"train_test_split": 0}}, "above 0 and at most 1"),
        ({"DatasetConfig": {"train_test_split": 1.2}}, "above 0 and at most 1"),
        ({"TrainingArguments": {"bf16": True, "fp16": True}}, "bf16 and fp16 exclude each other"),
        ({"LoraConfig": {"r": 0}}, "at least 1"),
        ({"LoraConfig": 3}, "LoraConfig must be a mapping"),
        ({"TrainingArguments": {"save_strategy": "sometimes"}}, "must be no, steps or epoch"),
        ({"TrainingArguments": {"learning_rate": float("inf")}}, "learning_rate: inf is not a finite number"),
        ({"TrainingArguments": {"learning_rate": "nan"}}, "learning_rate: nan is not a finite number"),
        ({"TrainingArguments": {"max_grad_norm": 10**400}}, "is not a finite number"),
        ({"TrainingArguments": {"warmup_steps": -5}}, "c.yaml: TrainingArguments.warmup_steps must be at least 0"),
        ({"TrainingArguments": {"adam_beta1": 1.5}}, "adam_beta1 must be from 0 to 1, not 1.5"),
        ({"TrainingArguments": {"seed": 2**32}}, "seed must be from 0 to 4294967295"),
        ({"TrainingArguments": {"optim": "adamw"}}, "c.yaml: TrainingArguments.optim 'adamw' is not known"),
        ({"TrainingArguments": {"lr_scheduler_type": "x"}}, "c.yaml: TrainingArguments.lr_scheduler_type 'x'"),
        ({"ModelConfig": {"torch_dtype": "float33"}}, "c.yaml: ModelConfig.torch_dtype 'float33' is not known"),
        ({"ModelConfig": {"device_map": "balanced"}}, "ModelConfig.device_map 'balanced' is not supported"),
        ({"QuantizationConfig": {"bnb_4bit_compute_dtype": "int3"}}, "bnb_4bit_compute_dtype 'int3' is not known"),
    ],
)
def test_a_mistake_is_refused_with_file_and_key(document: dict[str, Any], words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        parse_config(document, source="c.yaml")


def test_text_is_read_as_the_number_it_is() -> None:
    document = {"TrainingArguments": {"learning_rate": "2e-4", "max_steps": "5", "gradient_checkpointing": "true"}}
    training = parse_config(document, source="c").training
    assert (training.learning_rate, training.max_steps, training.gradient_checkpointing) == (2e-4, 5, True)


def test_a_key_without_effect_is_accepted_and_named() -> None:
    config = parse_config({"TrainingArguments": {"report_to": "none", "deepspeed": None}}, source="c")
    assert config.ignored == ("TrainingArguments.report_to", "TrainingArguments.deepspeed")


def test_the_command_line_wins() -> None:
    config = parse_config(QLORA, source="c", overrides=["TrainingArguments.seed=7", "LoraConfig.target_modules=[a, b]"])
    assert config.training.seed == 7
    assert config.lora.target_modules == ["a", "b"]
    with pytest.raises(BadConfig, match=r"write Section\.key=value"):
        parse_config({}, source="c", overrides=["seed=7"])
    with pytest.raises(BadConfig, match=r"^--set: unknown key LoraConfig.rank;"):
        parse_config({"LoraConfig": {"r": 4}}, source="c", overrides=["LoraConfig.rank=7"])


def test_the_method_must_fit_the_quantisation() -> None:
    with pytest.raises(BadConfig, match=r"the method is lora"):
        parse_config(QLORA, source="c", method="lora")
    implied = parse_config({}, source="c", method="qlora")
    assert implied.quantization.load_in_4bit
    assert implied.quantization.bnb_4bit_quant_type == "nf4"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", r"c.yaml:1: not YAML"),
        ("training_config:\n  LoraConfig: {r: 8, r: 16}", r"c.yaml:2: not YAML: the key r is there twice"),
        ("other: 1", "training_config"),
        ("training_config: {}\nmore: 1", "unknown key 'more'"),
        ("training_config: [1]", "training_config"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(BadConfig, match=words):
        load_document(path)
    with pytest.raises(BadConfig, match="cannot be read"):
        load_document(tmp_path / "missing.yaml")
