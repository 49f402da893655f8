"""The manifests for Kubernetes: that they fit together, and fit what the server does."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from docs.recipes import blocks, section
from processes import servers

from app import worker
from app.cli import running
from app.config import Config, ConfigurationRefused, load, settings
from app.config.load import DEFAULT_FILE
from app.http import Listener
from app.rest import wellknown
from app.server import address_of

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
COPY = "deploy/kubernetes/production"
"""What the page calls the reader's copy of the example."""

BASE, EXAMPLE = FOLDER / "base", FOLDER / "example"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SERVER, WAIT, MIGRATE = "server", "wait", "migrate"
CONTAINERS = {SERVER: ["serve", "all"], WAIT: ["migrate", "wait"], MIGRATE: ["migrate", "up"]}
"""Every container that runs the server's image, and what it runs."""

PODS = {"Deployment": "sekisho", "Job": "sekisho-migrate"}
REST = 4.0
"""Seconds of stopping for being found not ready, and for the last spans."""

MAX_CONNECTIONS = 100 - 3
"""What a PostgreSQL allows that nobody has told otherwise, without what it keeps for its owner."""

Manifest = dict[str, Any]


def kustomization(folder: Path) -> Manifest:
    found: Manifest = yaml.safe_load((folder / "kustomization.yaml").read_text())
    return found


def documents(file: Path) -> list[Manifest]:
    return list(yaml.safe_load_all(file.read_text()))


def manifests(folder: Path) -> Iterator[Manifest]:
    """Every manifest that a kustomization lists, those of the folders it names included."""
    for name in kustomization(folder)["resources"]:
        path = folder / name
        yield from manifests(path) if path.is_dir() else documents(path)


def one(kind: str, name: str = "sekisho") -> Manifest:
    (found,) = (m for m in manifests(EXAMPLE) if (m["kind"], m["metadata"]["name"]) == (kind, name))
    return found


def pod(kind: str = "Deployment") -> Manifest:
    template: Manifest = one(kind, PODS[kind])["spec"]["template"]
    return template


def containers(spec: Manifest) -> dict[str, Manifest]:
    """The containers of a pod by their names, those that come first included."""
    return {c["name"]: c for c in [*spec["containers"], *spec.get("initContainers", [])]}


def container(name: str = SERVER) -> Manifest:
    found: Manifest = {
        **containers(pod()["spec"]),
        **containers(pod("Job")["spec"]),
    }[name]
    return found


def variables(file: Path) -> dict[str, str]:
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def environment() -> dict[str, str]:
    """The variables that a pod of the example has once its secrets are filled in."""
    secrets = variables(EXAMPLE / "secrets.env.example") | {"SECRET_KEYS": "made-up-for-this-test"}
    database = {"DATABASE_URL": "postgresql://sekisho:made-up@postgres:5432/sekisho"}
    return variables(EXAMPLE / "environment.env") | secrets | database


@pytest.fixture
def config(environment: dict[str, str]) -> Config:
    return load(BASE / "config.yaml", environment)


# The files among each other


@pytest.mark.parametrize("folder", [BASE, EXAMPLE], ids=lambda folder: folder.name)
def test_every_file_is_listed_and_every_listed_one_is_there(folder: Path) -> None:
    said = kustomization(folder)
    listed = {*said["resources"], *(patch["path"] for patch in said.get("patches", []))}
    for generated in said.get("configMapGenerator", []) + said.get("secretGenerator", []):
        listed |= {*generated.get("files", []), *generated.get("envs", [])}
    of_files = {name for name in listed if not (folder / name).is_dir()}
    there = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    there = {name.removesuffix(".example") for name in there}
    assert of_files | {"kustomization.yaml"} == there
    assert [
        name for name in listed - of_files if not (folder / name / "kustomization.yaml").exists()
    ] == []


def test_every_object_has_a_name_of_its_own_in_one_namespace() -> None:
    named = [(m["kind"], m["metadata"]["name"]) for m in manifests(EXAMPLE)]
    assert len(named) == len(set(named))
    assert {kind for kind, _ in named} == {
        *("Namespace", "ServiceAccount", "Deployment", "Service", "PodDisruptionBudget"),
        *("NetworkPolicy", "Ingress", "Job"),
    }
    assert not any("namespace" in m["metadata"] for m in manifests(EXAMPLE))
    assert {kustomization(folder)["namespace"] for folder in (BASE, EXAMPLE)} == {
        one("Namespace")["metadata"]["name"]
    }


def test_every_selector_selects_the_pods() -> None:
    deployment = one("Deployment")["spec"]
    (spread,) = pod()["spec"]["topologySpreadConstraints"]
    selectors = [
        deployment["selector"]["matchLabels"],
        one("Service")["spec"]["selector"],
        one("Service", "sekisho-admin")["spec"]["selector"],
        one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        spread["labelSelector"]["matchLabels"],
    ]
    labels = pod()["metadata"]["labels"]
    assert all(selector and selector.items() <= labels.items() for selector in selectors)
    for label in kustomization(BASE)["labels"]:
        assert not label.get("includeSelectors"), "it would narrow who may call the admin listener"


def test_no_request_is_sent_to_a_pod_that_migrates() -> None:
    labels = pod("Job")["metadata"]["labels"]
    policy = one("NetworkPolicy", "sekisho-migrate")["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    for service in ("sekisho", "sekisho-admin"):
        selector = one("Service", service)["spec"]["selector"]
        assert not selector.items() <= labels.items()
    replicas = one("Deployment")["spec"]["selector"]["matchLabels"]
    assert not replicas.items() <= labels.items()


def test_what_pods_refer_to_is_made_or_told_to_be_there() -> None:
    said = [kustomization(folder) for folder in (BASE, EXAMPLE)]
    made = {g["name"] for one in said for g in one.get("configMapGenerator", [])}
    secrets = {g["name"] for one in said for g in one.get("secretGenerator", [])}
    for kind in PODS:
        spec = pod(kind)["spec"]
        assert spec["serviceAccountName"] == one("ServiceAccount")["metadata"]["name"]
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        assert volumes["config"]["configMap"]["name"] in made
        for run in containers(spec).values():
            sources = run["envFrom"]
            assert [s["configMapRef"]["name"] for s in sources if "configMapRef" in s] == [
                *made - {"sekisho-config"}
            ]
            assert [s["secretRef"]["name"] for s in sources if "secretRef" in s] == [*secrets]
            assert {mount["name"] for mount in run["volumeMounts"]} == volumes.keys()


def test_the_patch_names_a_variable_and_containers_that_there_are() -> None:
    patches = documents(EXAMPLE / "database.yaml")
    assert {patch["kind"]: patch["metadata"]["name"] for patch in patches} == PODS
    patched = {}
    for patch in patches:
        named = containers(patch["spec"]["template"]["spec"])
        assert named.keys() == containers(pod(patch["kind"])["spec"]).keys()
        patched |= {name: one["env"] for name, one in named.items()}
    assert patched.keys() == CONTAINERS.keys()
    for name, env in patched.items():
        assert [one["name"] for one in env] == [one["name"] for one in container(name)["env"]]
        assert all(one["valueFrom"]["secretKeyRef"].keys() == {"name", "key"} for one in env)


def test_the_image_is_named_once_with_the_version() -> None:
    (image,) = kustomization(EXAMPLE)["images"]
    assert image["newTag"] == VERSION
    assert {container(name)["image"] for name in CONTAINERS} == {image["name"]}


# The files and the server


def test_every_variable_is_a_setting_and_no_secret_has_a_value(environment: dict[str, str]) -> None:
    known = {variable for setting in settings() for variable in setting.variables}
    assert set(environment) - known == set()
    assert {one["name"] for one in container()["env"]} == {"DATABASE_URL"}
    assert set(variables(EXAMPLE / "secrets.env.example").values()) == {""}
    named = variables(EXAMPLE / "environment.env")
    assert [name for name in named if re.search("SECRET|PASSWORD|TOKEN|_KEY", name)] == []


def test_the_configuration_is_good_and_nothing_in_it_is_odd(
    environment: dict[str, str], tmp_path: Path
) -> None:
    words = ("--config", str(BASE / "config.yaml"), "config", "check", "--json")
    checked = servers.run(tmp_path, *words, **environment)
    assert (checked.returncode, json.loads(checked.stdout)["warnings"]) == (0, []), checked.stderr


@pytest.mark.parametrize(
    "name", ["SECRET_KEYS", "SERVER_PUBLIC_URL", "RATE_LIMITER_REDIS_CONFIG_ADDRESS"]
)
def test_without_its_secret_and_its_addresses_it_is_refused(
    environment: dict[str, str], name: str
) -> None:
    del environment[name]
    with pytest.raises(ConfigurationRefused):
        load(BASE / "config.yaml", environment)


def test_every_container_and_what_is_typed_in_them_reads_the_file_that_is_mounted() -> None:
    (generated,) = kustomization(BASE)["configMapGenerator"]
    for name, args in CONTAINERS.items():
        (mount,) = (m for m in container(name)["volumeMounts"] if m["name"] == "config")
        assert mount["readOnly"] is True
        assert container(name)["args"] == args
        mounted = Path(mount["mountPath"]) / generated["files"][0]
        assert Path(container(name)["workingDir"]) / DEFAULT_FILE == mounted


def test_migrations_are_applied_by_a_job_that_no_probe_ends_sec_135() -> None:
    job = one("Job", "sekisho-migrate")["spec"]
    (migrate,) = job["template"]["spec"]["containers"]
    assert migrate["name"] == MIGRATE
    assert not any(key.endswith("Probe") for key in migrate)
    assert "activeDeadlineSeconds" not in job
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    assert job["backoffLimit"] > 0
    assert job["ttlSecondsAfterFinished"] > 0


def test_a_replica_waits_for_the_job_and_applies_nothing_itself_sec_135() -> None:
    (wait,) = pod()["spec"]["initContainers"]
    assert wait["name"] == WAIT
    assert not any(key.endswith("Probe") for key in wait)


def test_the_page_types_what_lets_the_job_be_applied_again() -> None:
    """A Job cannot be changed, and every change of a setting changes its template."""
    _, first, again, *_ = blocks(section("operations.md", "On Kubernetes"), "sh")
    name, namespace = PODS["Job"], one("Namespace")["metadata"]["name"]
    delete, apply, wait = again.splitlines()
    assert delete == f"kubectl delete --ignore-not-found --namespace {namespace} job/{name}"
    assert apply == f"kubectl apply -k {COPY}"
    assert wait == f"kubectl rollout status --namespace {namespace} deploy/{PODS['Deployment']}"
    assert {apply, wait} <= set(first.splitlines())


def test_the_page_makes_whatever_is_named_before_it_is_applied() -> None:
    before, first, *_ = blocks(section("operations.md", "On Kubernetes"), "sh")
    steps = before.splitlines()
    copied = f"cp -R {EXAMPLE.relative_to(ROOT)} {COPY}"
    secrets = f"cp {COPY}/secrets.env.example {COPY}/secrets.env"
    assert steps[:2] == [copied, secrets]
    assert (EXAMPLE / "secrets.env.example").exists()
    (image,) = kustomization(EXAMPLE)["images"]
    name = f"{image['newName']}:{image['newTag']}"
    assert steps[2:4] == [f"docker build --tag {name} .", f"docker push {name}"]
    assert steps[4] == f"kubectl apply -f {(BASE / 'namespace.yaml').relative_to(ROOT)}"
    made = {words[6]: words[3] for words in map(str.split, steps[5:])}
    (tls,) = one("Ingress")["spec"]["tls"]
    patched = {
        run["env"][0]["valueFrom"]["secretKeyRef"]["name"]
        for patch in documents(EXAMPLE / "database.yaml")
        for run in containers(patch["spec"]["template"]["spec"]).values()
    }
    assert made == {tls["secretName"]: "tls", **dict.fromkeys(patched, "generic")}
    assert first.startswith(f"kubectl apply -k {COPY}\n")


def test_the_redis_that_replicas_ask_is_made_and_they_alone_may_ask_it(config: Config) -> None:
    """SEC-128"""
    service, workload = one("Service", "redis")["spec"], one("Deployment", "redis")["spec"]
    namespace = one("Namespace")["metadata"]["name"]
    (port,) = service["ports"]
    address = f"redis.{namespace}.svc.cluster.local:{port['port']}"
    assert config.rate_limiter.redis_config.address == address
    template = workload["template"]
    (run,) = template["spec"]["containers"]
    assert service["selector"] == workload["selector"]["matchLabels"]
    assert service["selector"] == template["metadata"]["labels"]
    assert [port["targetPort"]] == [one["name"] for one in run["ports"]]
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]["redis"]
    assert (run["image"], run["args"]) == (compose["image"], compose["command"])
    assert run["securityContext"] == container()["securityContext"]
    assert template["spec"]["securityContext"]["runAsNonRoot"] is True
    policy = one("NetworkPolicy", "redis")["spec"]
    (allowed,) = policy["ingress"]
    assert policy["podSelector"]["matchLabels"] == service["selector"]
    (caller,) = allowed["from"]
    assert (
        caller["podSelector"]["matchLabels"] == one("Deployment")["spec"]["selector"]["matchLabels"]
    )
    assert "egress" not in policy


def test_going_back_names_what_there_is() -> None:
    page = section("operations.md", "Going back")
    (count,) = yaml.safe_load(blocks(page, "yaml")[0])["replicas"]
    assert count == {"name": PODS["Deployment"], "count": 0}
    lines = blocks(page, "sh")[-1].splitlines()
    assert lines[0].endswith(f" --replicas 0 --namespace sekisho deploy/{PODS['Deployment']}")
    (label,) = pod()["metadata"]["labels"].items()
    assert lines[1].startswith(f"kubectl wait pod --selector={label[0]}={label[1]} ")
    assert lines[3] == f"kubectl apply -k {COPY}"
    assert lines[4].endswith(f" job/{PODS['Job']}")
    assert 'args: [migrate, down, "1", --yes]' in page


def test_ports_are_those_of_the_listeners(config: Config) -> None:
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert ports == {name: address_of(config, name)[1] for name in ("public", "admin")}
    for service, name in (("sekisho", "public"), ("sekisho-admin", "admin")):
        spec = one("Service", service)["spec"]
        assert spec["type"] == "ClusterIP"
        assert [(port["name"], port["targetPort"]) for port in spec["ports"]] == [(name, name)]


def test_probes_ask_for_what_is_there_sec_140() -> None:
    """By the pod's address, which health alone answers: tests/faces/test_http_gate.py"""
    asked = {
        kind: container()[f"{kind}Probe"]["httpGet"]
        for kind in ("startup", "readiness", "liveness")
    }
    for get in asked.values():
        assert get.keys() == {"path", "port"}
        assert get["port"] == "public"
    (alive,), (ready,) = wellknown.alive.paths, wellknown.ready.paths
    assert {kind: get["path"] for kind, get in asked.items()} == {
        "startup": alive,
        "readiness": ready,
        "liveness": alive,  # a lost database is no reason to restart
    }


def test_backends_may_call_the_services_by_their_names(config: Config) -> None:
    namespace = one("Namespace")["metadata"]["name"]
    for listener, service in (("public", "sekisho"), ("admin", "sekisho-admin")):
        for name in ("", f".{namespace}", f".{namespace}.svc", f".{namespace}.svc.cluster.local"):
            assert Listener(listener, config).accepts_host(service + name)
    assert not Listener("admin", config).accepts_host("elsewhere.example.com")


def test_a_roll_out_takes_no_replica_away_before_another_is_ready() -> None:
    spec = one("Deployment")["spec"]
    assert spec["replicas"] >= 2
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_a_pod_is_given_the_time_that_stopping_takes_sec_139(config: Config) -> None:
    word, seconds = container()["lifecycle"]["preStop"]["exec"]["command"]
    probe = container()["readinessProbe"]
    assert word == "sleep"
    assert int(seconds) >= probe["periodSeconds"] * probe["failureThreshold"]
    drain = config.server.drain_timeout.total_seconds()
    stopping = int(seconds) + drain + worker._LAST + running._CLOSING + REST
    assert pod()["spec"]["terminationGracePeriodSeconds"] > stopping


def test_every_replica_and_one_more_find_room_at_the_database(config: Config) -> None:
    spec = one("Deployment")["spec"]
    most = spec["replicas"] + spec["strategy"]["rollingUpdate"]["maxSurge"]
    assert most * config.database.pool <= MAX_CONNECTIONS


def test_replicas_count_attempts_together_and_hash_on_one_core(config: Config) -> None:
    assert config.rate_limiter.store == "redis"
    assert config.password.hashing.threads == 1


# Rights


def test_a_pod_has_no_rights_that_it_does_not_need_sec_128() -> None:
    user, group = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)[0]
    for kind in PODS:
        spec = pod(kind)["spec"]
        assert spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": int(user),
            "runAsGroup": int(group),
            "fsGroup": int(group),
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert spec["automountServiceAccountToken"] is False
    for name in CONTAINERS:
        assert container(name)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(container(name)["resources"]) == {"requests", "limits"}
    assert one("ServiceAccount")["automountServiceAccountToken"] is False


def test_only_the_data_and_what_is_temporary_can_be_written() -> None:
    (data,) = re.findall(r"^VOLUME (\S+)$", DOCKERFILE, re.MULTILINE)
    volumes = {volume["name"]: volume for volume in pod()["spec"]["volumes"]}
    writable = {
        m["mountPath"]: m["name"] for m in container()["volumeMounts"] if not m.get("readOnly")
    }
    assert all(mount["readOnly"] for mount in container(MIGRATE)["volumeMounts"])
    assert writable == {data: "data", "/tmp": "tmp"}  # noqa: S108  # the container's own
    assert all("emptyDir" in volumes[name] for name in writable.values())


def test_services_of_the_namespace_set_no_variable() -> None:
    """A Service called `database` would set DATABASE_PORT, which is a setting."""
    assert [pod(kind)["spec"]["enableServiceLinks"] for kind in PODS] == [False, False]


def test_the_world_reaches_the_public_listener_alone_sec_108(config: Config) -> None:
    spec = one("Ingress")["spec"]
    (rule,) = spec["rules"]
    (path,) = rule["http"]["paths"]
    assert path["backend"]["service"] == {"name": "sekisho", "port": {"name": "public"}}
    assert config.server.public.url == f"https://{rule['host']}"
    assert spec["tls"][0]["hosts"] == [rule["host"]]


def test_who_may_call_the_admin_listener_says_so_sec_108() -> None:
    spec = one("NetworkPolicy")["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    public, admin = spec["ingress"]
    assert [public["ports"], admin["ports"]] == [[{"port": "public"}], [{"port": "admin"}]]
    (caller,) = admin["from"]
    assert all(caller[kind]["matchLabels"] for kind in ("namespaceSelector", "podSelector"))


def test_what_hands_credentials_to_machines_cannot_be_called_sec_110() -> None:
    names, others = one("NetworkPolicy")["spec"]["egress"]
    assert {port["port"] for port in names["ports"]} == {53}
    blocks = [to["ipBlock"] for to in others["to"] if "ipBlock" in to]
    assert [block["except"] for block in blocks] == [["169.254.0.0/16"], ["fe80::/10"]]
    assert {port["port"] for port in others["ports"]} == {5432, 6379, 465, 587, 443}


def test_who_migrates_calls_the_database_alone_and_is_called_by_nobody_sec_110() -> None:
    spec = one("NetworkPolicy", "sekisho-migrate")["spec"]
    assert (spec["policyTypes"], spec.get("ingress", [])) == (["Ingress", "Egress"], [])
    assert {port["port"] for rule in spec["egress"] for port in rule["ports"]} == {53, 5432}
