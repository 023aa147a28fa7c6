"""The rules by which the loopback Hub takes or refuses the metadata of a card."""

from __future__ import annotations

import re
from typing import Any

import yaml
from fake_hub_repo import front_matter

LICENSES = frozenset(
    (
        *("apache-2.0", "mit", "openrail", "bigscience-openrail-m", "creativeml-openrail-m"),
        *("bigscience-bloom-rail-1.0", "bigcode-openrail-m", "afl-3.0", "artistic-2.0", "bsl-1.0", "bsd"),
        *("bsd-2-clause", "bsd-3-clause", "bsd-3-clause-clear", "c-uda", "cc", "cc0-1.0", "cc-by-2.0"),
        *("cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-2.0"),
        *("cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0"),
        *("cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cdla-sharing-1.0", "cdla-permissive-1.0"),
        *("cdla-permissive-2.0", "wtfpl", "ecl-2.0", "epl-1.0", "epl-2.0", "etalab-2.0", "eupl-1.1"),
        *("eupl-1.2", "agpl-3.0", "gfdl", "gpl", "gpl-2.0", "gpl-3.0", "lgpl", "lgpl-2.1", "lgpl-3.0", "isc"),
        *("lppl-1.3c", "ms-pl", "mpl-2.0", "odc-by", "odbl", "openrail++", "openmdw-1.0", "openmdw-1.1"),
        *("osl-3.0", "postgresql", "ofl-1.1", "ncsa", "unlicense", "zlib", "pddl", "lgpl-lr"),
        *("deepfloyd-if-license", "fair-noncommercial-research-license", "llama2", "llama3", "llama3.1"),
        *("llama3.2", "llama3.3", "llama4", "gemma", "apple-ascl", "apple-amlr", "h-research"),
        *("intel-research", "grok2-community", "unknown", "other"),
    )
)
SIZES = frozenset(
    (
        *("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B"),
        *("10B<n<100B", "100B<n<1T", "n>1T"),
    )
)
STRINGS = ("library_name", "pretty_name", "license_name", "license_link", "pipeline_tag", "viewer_config")
LISTS = ("tags", "datasets", "metrics", "task_categories", "task_ids", "source_datasets", "base_model", "new_version")

Problem = dict[str, str]


def check_card(content: str, repo_type: str) -> tuple[list[Problem], list[Problem]]:
    """The errors and the warnings of a card."""
    found = front_matter(content)
    if found is None or not found.strip():
        return [], [{"message": "empty or missing yaml metadata in repo card"}]
    try:
        data = yaml.safe_load(found)
    except yaml.YAMLError as error:
        return [{"message": f"YAML metadata is invalid: {' '.join(str(error).split())}"}], []
    if not isinstance(data, dict):
        return [{"message": "YAML metadata must be a mapping"}], []
    messages = [*_plain_fields(data), *_license(data), *_language(data)]
    if repo_type == "dataset":
        messages += _dataset(data)
    if repo_type == "model":
        messages += _model_index(data)
    return [{"message": message} for message in messages], []


def _plain_fields(data: dict[str, Any]) -> list[str]:
    messages = [f'"{name}" must be a string' for name in STRINGS if not isinstance(data.get(name, ""), str)]
    for name in LISTS:
        value = data.get(name, [])
        for index, one in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(one, str):
                messages.append(f'"{name}[{index}]" must be a string')
            elif name == "tags" and not 0 < len(one) <= 100:
                messages.append(f'"{name}[{index}]" length must be between 1 and 100 characters')
            elif name in ("datasets", "base_model") and not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", one):
                messages.append(f'"{name}[{index}]" with value "{one}" is not valid. It must be a model or dataset id')
    return messages


def _license(data: dict[str, Any]) -> list[str]:
    value = data.get("license", [])
    wrong = [one for one in (value if isinstance(value, list) else [value]) if one not in LICENSES]
    return [f'"license" must be one of [{", ".join(sorted(LICENSES))}], not {one}' for one in wrong]


def _language(data: dict[str, Any]) -> list[str]:
    value = data.get("language", [])
    messages = []
    for index, one in enumerate(value if isinstance(value, list) else [value]):
        if not isinstance(one, str):
            messages.append(f'"language[{index}]" must be a string')
        elif not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*|code|multilingual|jav", one):
            messages.append(
                f'"language[{index}]" with value "{one}" is not valid. It must be an ISO 639-1, 639-2 or 639-3 code'
                ' (two/three letters), or a special value like "code", "multilingual".'
            )
    return messages


def _dataset(data: dict[str, Any]) -> list[str]:
    messages = []
    sizes = data.get("size_categories", [])
    for one in sizes if isinstance(sizes, list) else [sizes]:
        if one not in SIZES:
            messages.append(f'"size_categories" must be one of [{", ".join(sorted(SIZES))}], not {one}')
    configs = data.get("configs", [])
    names = [config.get("config_name") if isinstance(config, dict) else None for config in configs]
    if not isinstance(configs, list) or not all(isinstance(name, str) and name for name in names):
        messages.append('"configs" must be a list of mappings, each with a "config_name"')
    elif len(set(names)) < len(names):
        messages.append('"configs" must not name a config twice')
    infos = data.get("dataset_info", [])
    infos = infos if isinstance(infos, list) else [infos]
    if not all(isinstance(info, dict) for info in infos):
        messages.append('"dataset_info" must be a mapping or a list of them')
    return messages


def _model_index(data: dict[str, Any]) -> list[str]:
    index = data.get("model-index", [])
    if not isinstance(index, list):
        return ['"model-index" must be an array']
    messages = []
    for number, model in enumerate(index):
        place = f"model-index[{number}]"
        if not isinstance(model, dict) or not isinstance(model.get("name"), str):
            messages.append(f'"{place}.name" is required')
            continue
        for at, result in enumerate(model.get("results") or ()):
            task = result.get("task") or {}
            if not isinstance(task.get("type"), str):
                messages.append(f'"{place}.results[{at}].task.type" is required')
            for name in ("name", "type"):
                if not isinstance((result.get("dataset") or {}).get(name), str):
                    messages.append(f'"{place}.results[{at}].dataset.{name}" is required')
            for one, metric in enumerate(result.get("metrics") or ()):
                for name in ("type", "value"):
                    if name not in metric:
                        messages.append(f'"{place}.results[{at}].metrics[{one}].{name}" is required')
    return messages
