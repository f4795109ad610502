"""A tuning workspace from apply to a served model, and what can happen on the way."""

from __future__ import annotations

from typing import Any

from kaito.kube.resources import CONFIG_MAPS, JOBS, NODE_CLAIMS, NODES, PODS, SERVICES, STATEFUL_SETS, WORKSPACES
from kaito.operator.settings import OperatorSettings
from tests.unit.operator.world import NAMESPACE, World, config_map, node, tuning_workspace

ORDER = [
    "NodesReady",
    "NodeClaimReady",
    "ResourceReady",
    "JobStarted",
    "WorkspaceSucceeded",
    "InferenceReady",
    "WorkspaceReady",
]


async def served(world: World, name: str = "tune") -> None:
    """Take a tuning workspace all the way."""
    await world.apply(tuning_workspace(name))
    await world.provide_nodes()
    await world.run_job(name)
    await world.finish_job(name)
    await world.start_stateful_set(name)


async def test_a_tuning_workspace_is_tuned_and_then_served() -> None:
    world = World()
    async with world.running():
        await world.apply(tuning_workspace())
        assert list(world.conditions("tune")) == ORDER
        assert world.status("tune")["state"] == "Pending"
        assert world.client.find(JOBS, "tune", NAMESPACE) is None, "no Job before there are nodes"

        await world.provide_nodes()
        assert world.verdicts("tune")["ResourceReady"] == "True"
        job = world.client.find(JOBS, "tune", NAMESPACE)
        assert job is not None
        assert job["metadata"]["annotations"] == {"workspace.kaito.io/revision": "1"}

        await world.run_job("tune")
        assert world.status("tune")["state"] == "Running"
        assert world.verdicts("tune")["JobStarted"] == "True"
        assert world.client.find(SERVICES, "tune", NAMESPACE) is None, "nothing is served before the Job is done"

        await world.finish_job("tune")
        assert world.status("tune")["state"] == "Succeeded"
        assert world.verdicts("tune")["WorkspaceSucceeded"] == "True"
        assert world.verdicts("tune")["WorkspaceReady"] == "False"
        service = world.client.find(SERVICES, "tune", NAMESPACE)
        assert service is not None
        assert [(port["port"], port["targetPort"]) for port in service["spec"]["ports"]] == [(80, 5000), (29500, 29500)]

        await world.start_stateful_set("tune")
        assert set(world.verdicts("tune").values()) == {"True"}
        assert list(world.conditions("tune")) == ORDER
        assert world.status("tune")["state"] == "Succeeded"
        assert world.status("tune")["targetNodeCount"] == 1


async def test_the_server_pulls_the_pushed_image_with_the_push_secret() -> None:
    world = World()
    async with world.running():
        await served(world)
        stateful_set = world.client.find(STATEFUL_SETS, "tune", NAMESPACE)
    assert stateful_set is not None
    pod = stateful_set["spec"]["template"]["spec"]
    puller = pod["initContainers"][0]
    assert puller["name"] == "puller-tune"
    assert puller["command"] == [
        "kaito-runtime",
        "pull",
        "me.azurecr.io/adapters/phi3:1",
        "--output",
        "/mnt/adapter/tune",
    ]
    secrets = [
        source["secret"]["name"]
        for volume in pod["volumes"]
        for source in volume.get("projected", {}).get("sources", ())
    ]
    assert secrets == ["push"]
    assert pod["containers"][0]["command"][:4] == [
        "kaito-runtime",
        "serve",
        "--model",
        "microsoft/Phi-3-mini-128k-instruct",
    ]


async def test_an_output_volume_is_mounted_where_the_server_looks_for_adapters() -> None:
    world = World()
    claim = {"persistentVolumeClaim": {"claimName": "out"}}
    async with world.running():
        await world.apply(tuning_workspace(output={"volumeSource": claim}))
        await world.provide_nodes()
        await world.finish_job("tune")
        stateful_set = world.client.find(STATEFUL_SETS, "tune", NAMESPACE)
        job = world.client.find(JOBS, "tune", NAMESPACE)
    assert stateful_set is not None
    assert job is not None
    assert [one["name"] for one in job["spec"]["template"]["spec"]["containers"]] == ["tune"]
    pod = stateful_set["spec"]["template"]["spec"]
    assert "initContainers" not in pod
    assert {"name": "adapter-volume-tune", **claim} in pod["volumes"]
    mounts = pod["containers"][0]["volumeMounts"]
    assert {"name": "adapter-volume-tune", "mountPath": "/mnt/adapter/tune"} in mounts


async def test_serving_can_be_opted_out_of_and_the_workspace_is_ready_when_the_job_succeeds() -> None:
    world = World()
    workspace = tuning_workspace()
    workspace["metadata"]["annotations"] = {"kaito.sh/serve-after-tuning": "false"}
    async with world.running():
        await world.apply(workspace)
        await world.provide_nodes()
        await world.finish_job("tune")
        assert world.client.find(STATEFUL_SETS, "tune", NAMESPACE) is None
        assert "InferenceReady" not in world.conditions("tune")
        assert world.verdicts("tune")["WorkspaceReady"] == "True"


async def test_opting_out_later_takes_the_server_away_and_opting_in_brings_it_back() -> None:
    world = World()
    async with world.running():
        await served(world)

        def annotate(value: str) -> Any:
            return lambda live: (
                live["metadata"].setdefault("annotations", {}).update({"kaito.sh/serve-after-tuning": value})
            )

        await world.change(WORKSPACES, "tune", annotate("false"))
        assert world.client.find(STATEFUL_SETS, "tune", NAMESPACE) is None
        assert world.client.find(SERVICES, "tune", NAMESPACE) is None
        await world.change(WORKSPACES, "tune", annotate("true"))
        assert world.client.find(STATEFUL_SETS, "tune", NAMESPACE) is not None


async def test_the_operators_setting_decides_where_the_workspace_does_not() -> None:
    world = World(OperatorSettings(serve_after_tuning=False))
    async with world.running():
        await world.apply(tuning_workspace())
        await world.provide_nodes()
        await world.finish_job("tune")
        assert world.client.find(STATEFUL_SETS, "tune", NAMESPACE) is None
        assert world.verdicts("tune")["WorkspaceReady"] == "True"


async def test_a_job_that_fails_for_good_says_why_in_the_workspace() -> None:
    world = World()
    sentence = "registry me.azurecr.io answered 401 UNAUTHORIZED to adapters/phi3:1; check secret push"
    async with world.running():
        await world.apply(tuning_workspace())
        await world.provide_nodes()
        await world.run_job("tune")
        await world.fail_job("tune", "pusher", 77, f"starting\n{sentence}\n")
        condition = world.conditions("tune")["WorkspaceSucceeded"]
        assert (condition["status"], condition["reason"]) == ("False", "workspaceFailed")
        assert sentence in condition["message"]
        assert 'container "pusher" failed: exit code 77' in condition["message"]
        assert world.conditions("tune")["JobStarted"]["reason"] == "WorkspaceTuningJobStatusFailed"
        assert world.status("tune")["state"] == "Failed"


async def test_a_pod_that_failed_once_is_told_but_the_run_goes_on_and_succeeds() -> None:
    world = World()
    async with world.running():
        await world.apply(tuning_workspace())
        await world.provide_nodes()
        await world.fail_job("tune", "tune", 137, "", good=False)
        condition = world.conditions("tune")["WorkspaceSucceeded"]
        assert condition["reason"] == "workspacePending"
        await world.settle(1)
        assert "an attempt failed" in world.conditions("tune")["WorkspaceSucceeded"]["message"]
        assert world.status("tune")["state"] == "Running"
        await world.finish_job("tune")
        assert world.status("tune")["state"] == "Succeeded"
        assert world.conditions("tune")["WorkspaceSucceeded"]["message"] == "workspace succeeds"


async def test_a_pod_that_cannot_get_its_image_is_told_at_once() -> None:
    world = World()
    message = 'image "ghcr.io/x" is not in the image table /etc/images.yaml'
    async with world.running():
        await world.apply(tuning_workspace())
        await world.provide_nodes()
        await world.run_job("tune")

        def stuck(pod: dict[str, Any]) -> None:
            waiting = {"reason": "ErrImagePull", "message": message}
            statuses = [{"name": "data-downloader", "state": {"waiting": waiting}}]
            pod["status"] = {"phase": "Pending", "initContainerStatuses": statuses}

        await world.change(PODS, world.client.objects(PODS)[0]["metadata"]["name"], stuck)
        condition = world.conditions("tune")["JobStarted"]
        assert (condition["status"], condition["reason"]) == ("False", "ImagePullError")
        assert message in condition["message"]


async def test_a_changed_input_tunes_again_while_the_old_server_goes_on() -> None:
    world = World()
    async with world.running():
        await served(world)
        old_server = world.client.find(STATEFUL_SETS, "tune", NAMESPACE)
        old_job = world.client.find(JOBS, "tune", NAMESPACE)
        assert old_server is not None
        assert old_job is not None

        await world.apply(tuning_workspace(input={"urls": ["https://example.com/other.parquet"]}))
        await world.provide_nodes()
        job = world.client.find(JOBS, "tune", NAMESPACE)
        assert job is not None
        assert job["metadata"]["uid"] != old_job["metadata"]["uid"]
        assert job["metadata"]["annotations"]["workspace.kaito.io/revision"] == "2"
        assert len(world.client.objects(NODE_CLAIMS)) == 2, "server and tuner need a node each"
        assert world.client.find(STATEFUL_SETS, "tune", NAMESPACE) == old_server
        assert world.verdicts("tune")["InferenceReady"] == "True"
        assert world.verdicts("tune")["WorkspaceReady"] == "False"
        assert world.status("tune")["targetNodeCount"] == 1

        await world.finish_job("tune")
        server = world.client.find(STATEFUL_SETS, "tune", NAMESPACE)
        assert server is not None
        annotations = server["spec"]["template"]["metadata"]["annotations"]
        assert annotations == {"kaito.sh/served-job": job["metadata"]["uid"]}
        assert world.verdicts("tune")["WorkspaceReady"] == "False"
        await world.start_stateful_set("tune")
        assert world.verdicts("tune")["WorkspaceReady"] == "True"
        assert len(world.client.objects(NODE_CLAIMS)) == 1, "the extra node is given back"


async def test_a_second_run_that_fails_leaves_the_old_server_and_gives_the_extra_node_back() -> None:
    world = World()
    async with world.running():
        await served(world)
        await world.apply(tuning_workspace(input={"urls": ["https://example.com/other.parquet"]}))
        await world.provide_nodes()
        await world.fail_job("tune", "data-downloader", 66, "https://example.com/other.parquet answered 404")
        assert world.status("tune")["state"] == "Failed"
        assert world.verdicts("tune")["InferenceReady"] == "True"
        assert len(world.client.objects(NODE_CLAIMS)) == 1


async def test_a_killed_server_is_not_ready_until_its_pod_is_ready_again() -> None:
    world = World()
    async with world.running():
        await served(world)
        await world.start_stateful_set("tune", ready=False)
        assert world.verdicts("tune")["InferenceReady"] == "False"
        assert world.verdicts("tune")["WorkspaceReady"] == "False"
        assert world.verdicts("tune")["WorkspaceSucceeded"] == "True"
        await world.start_stateful_set("tune")
        assert world.verdicts("tune")["InferenceReady"] == "True"
        assert world.verdicts("tune")["WorkspaceReady"] == "True"


async def test_the_default_parameters_are_copied_once_and_a_missing_config_is_waited_for() -> None:
    world = World()
    async with world.running():
        await world.apply(tuning_workspace(config="mine"))
        await world.provide_nodes()
        assert world.client.find(JOBS, "tune", NAMESPACE) is None
        message = world.conditions("tune")["WorkspaceSucceeded"]["message"]
        assert "ConfigMap 'mine' specified in 'config' not found in namespace 'default'" in message
        text = "training_config:\n  TrainingArguments:\n    output_dir: my/out\n"
        world.client.seed(config_map("mine", NAMESPACE, text))
        await world.settle()
        job = world.client.find(JOBS, "tune", NAMESPACE)
        assert job is not None
        mounts = job["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
        assert {"name": "results-volume", "mountPath": "/mnt/my/out"} in mounts

        await world.apply(tuning_workspace("second"))
        await world.provide_nodes()
        assert world.client.find(CONFIG_MAPS, "qlora-params-template", NAMESPACE) is not None


async def test_the_mirror_map_is_copied_mounted_and_kept_in_step() -> None:
    world = World()
    world.client.seed(config_map("kaito-mirrors", "kaito-system", "urls: {}", "mirrors.yaml"))
    async with world.running():
        await world.apply(tuning_workspace())
        await world.provide_nodes()
        copied = world.client.find(CONFIG_MAPS, "kaito-mirrors", NAMESPACE)
        assert copied is not None
        assert copied["data"] == {"mirrors.yaml": "urls: {}"}
        job = world.client.find(JOBS, "tune", NAMESPACE)
        assert job is not None
        pod = job["spec"]["template"]["spec"]
        fetching = [*pod["initContainers"], *(one for one in pod["containers"] if one["name"] == "pusher")]
        for container in fetching:
            assert {"name": "KAITO_MIRRORS", "value": "/mnt/mirrors/mirrors.yaml"} in container["env"]
            assert {"name": "mirrors-volume", "mountPath": "/mnt/mirrors"} in container["volumeMounts"]
        world.client.seed(config_map("kaito-mirrors", "kaito-system", "urls: {a: b}", "mirrors.yaml"))
        await world.settle()
        await world.finish_job("tune")
        copied = world.client.find(CONFIG_MAPS, "kaito-mirrors", NAMESPACE)
        assert copied is not None
        assert copied["data"] == {"mirrors.yaml": "urls: {a: b}"}


async def test_a_rest_costs_no_requests_and_no_writes() -> None:
    world = World()
    async with world.running():
        await served(world)
        await world.settle(5)
        world.client.calls.clear()
        for beating in world.client.objects(NODES):
            beating["status"]["conditions"][0]["lastHeartbeatTime"] = "2026-01-01T00:10:00Z"
            world.client.seed(beating)
        reconciles = world.controller.reconciles
        await world.settle(3600)
        assert world.requests() == []
        assert world.controller.reconciles == reconciles, "a heartbeat wakes nobody"


async def test_a_preset_that_cannot_be_tuned_is_told() -> None:
    world = World()
    async with world.running():
        await world.apply(tuning_workspace(preset={"name": "gpt-oss-20b"}))
        await world.provide_nodes()
        assert world.client.find(JOBS, "tune", NAMESPACE) is None
        assert "preset gpt-oss-20b cannot be fine-tuned" in world.conditions("tune")["WorkspaceSucceeded"]["message"]


async def test_the_users_own_nodes_can_tune() -> None:
    world = World(OperatorSettings(node_provisioner="byo"))
    workspace = tuning_workspace()
    del workspace["resource"]["instanceType"]
    gpu = {"nvidia.com/gpu.product": "Tesla-V100", "nvidia.com/gpu.count": "2", "nvidia.com/gpu.memory": "16384"}
    world.client.seed(node("mine", {"app": "tune", **gpu}, "whatever"))
    async with world.running():
        await world.apply(workspace)
        job = world.client.find(JOBS, "tune", NAMESPACE)
    assert job is not None
    assert job["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"] == {"nvidia.com/gpu": "2"}


async def test_a_secret_that_is_not_there_is_told_although_only_an_event_says_so() -> None:
    world = World()
    async with world.running():
        await world.apply(tuning_workspace())
        await world.provide_nodes()
        await world.run_job("tune")
        pod = world.client.objects(PODS)[0]
        creating = {"waiting": {"reason": "PodInitializing"}}
        pod["status"] = {"phase": "Pending", "containerStatuses": [{"name": "tune", "state": creating}]}
        world.client.seed(pod)
        message = 'MountVolume.SetUp failed for volume "docker-config" : secret "push" not found'
        involved = {
            "kind": "Pod",
            "namespace": NAMESPACE,
            "name": pod["metadata"]["name"],
            "uid": pod["metadata"]["uid"],
        }
        world.client.seed(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": "e", "namespace": NAMESPACE},
                "involvedObject": involved,
                "reason": "FailedMount",
                "message": message,
            }
        )
        await world.settle(1)
        condition = world.conditions("tune")["JobStarted"]
        assert (condition["status"], condition["reason"]) == ("False", "FailedMount")
        assert message in condition["message"]
        await world.run_job("tune")
        assert world.verdicts("tune")["JobStarted"] == "True", "the secret came and the pod runs"
