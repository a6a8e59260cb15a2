"""Renders a chart with Helm's own engine and holds what comes out against the schemas of Kubernetes.

Arguments: the chart's directory. Standard input: the values as JSON. Standard output: JSON.
"""

import json
import sys

import helm_python
import kubernetes_validate
import yaml

# The oldest release that the chart admits, and the newest of which there are schemas.
RELEASES = ["1.25", "1.37"]
NAMESPACE = "batch"


def main(directory, values):
    lint = helm_python.lint(directory, values, strict=True)
    try:
        with helm_python.Chart.load(directory) as chart:
            files = chart.render(values, name="release", namespace=NAMESPACE)
    except helm_python.HelmError as reason:
        return {"refusal": str(reason)}
    manifests = [
        document
        for name, text in files.items()
        if name.endswith(".yaml")
        for document in yaml.safe_load_all(text)
        if document is not None
    ]
    return {
        "refusal": None,
        "warnings": [message for message in lint["messages"] if message["severity"] > 1] + lint["errors"],
        "manifests": manifests,
        "problems": [problem for manifest in manifests for problem in problems(manifest)],
    }


def problems(manifest):
    # There are no schemas of what KEDA adds to a cluster.
    if manifest["apiVersion"].startswith("keda.sh/"):
        return
    for release in RELEASES:
        try:
            kubernetes_validate.validate(manifest, release, strict=True)
        except Exception as reason:
            yield f"{manifest['kind']} {manifest['metadata']['name']} in {release}: {reason}"


json.dump(main(sys.argv[1], json.load(sys.stdin)), sys.stdout)
