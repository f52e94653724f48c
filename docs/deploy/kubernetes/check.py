"""Holds manifests to the types of Kubernetes' Python client (Debian: python3-kubernetes): every field known, every
value of its type, nothing missing that is required. A cluster in strict mode says the same and more."""
import re
import sys

import yaml
from kubernetes import client

KINDS = {
    ("v1", "Service"): client.V1Service,
    ("v1", "ServiceAccount"): client.V1ServiceAccount,
    ("apps/v1", "StatefulSet"): client.V1StatefulSet,
    ("apps/v1", "Deployment"): client.V1Deployment,
    ("policy/v1", "PodDisruptionBudget"): client.V1PodDisruptionBudget,
    ("rbac.authorization.k8s.io/v1", "Role"): client.V1Role,
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): client.V1RoleBinding,
}


def build(kind, value, at):
    """Makes the typed object; the client's own setters then refuse what is missing or out of range."""
    if inner := re.fullmatch(r"list\[(.+)\]", kind):
        return [build(inner[1], item, f"{at}[{i}]") for i, item in enumerate(expect(list, value, at))]
    if inner := re.fullmatch(r"dict\(str, (.+)\)", kind):
        return {name: build(inner[1], item, f"{at}.{name}") for name, item in expect(dict, value, at).items()}
    if kind == "object":
        return value
    if kind in ("str", "int", "bool"):
        return expect({"str": str, "int": int, "bool": bool}[kind], value, at)
    return build_model(getattr(client, kind), value, at)


def build_model(model, value, at):
    fields = {name: field for field, name in model.attribute_map.items()}
    typed = {}
    for name, item in expect(dict, value, at).items():
        if name not in fields:
            raise ValueError(f"{at}: no field {name} in {model.__name__}")
        typed[fields[name]] = build(model.openapi_types[fields[name]], item, f"{at}.{name}")
    try:
        return model(**typed)
    except ValueError as error:
        raise ValueError(f"{at}: {error}") from error


def expect(kind, value, at):
    if type(value) is not kind:
        raise ValueError(f"{at} is {value!r}, not {kind.__name__}")
    return value


for file in sys.argv[1:]:
    with open(file, encoding="utf-8") as text:
        for document in yaml.safe_load_all(text):
            kind = document["apiVersion"], document["kind"]
            build_model(KINDS[kind], document, f"{file}: {document['kind']} {document['metadata']['name']}")
