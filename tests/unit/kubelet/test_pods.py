"""The life of a pod: order, restarts, back-off, endings."""

import signal

import pytest

from kaito.kube.errors import ServerError
from kaito.kube.resources import CONFIG_MAPS, EVENTS, PODS, SECRETS


async def test_a_pod_runs_with_address_conditions_and_ids(world):
    world.pod()
    await world.pass_time()
    status = world.status()
    assert status["phase"] == "Running"
    assert status["podIP"].startswith("10.244.")
    assert status["hostIP"] == "127.0.0.1"
    assert {entry["type"]: entry["status"] for entry in status["conditions"]} == {
        "PodReadyToStartContainers": "True",
        "Initialized": "True",
        "Ready": "True",
        "ContainersReady": "True",
        "PodScheduled": "True",
    }
    container = world.container()
    assert container["containerID"].startswith("process://")
    assert container["imageID"] == "process://docker.io/library/busybox:latest"
    assert container["ready"] is container["started"] is True
    assert [world.events(reason) for reason in ("Pulled", "Created", "Started")] == [
        ['Container image "busybox" already present on machine'],
        ["Created container: c0"],
        ["Started container c0"],
    ]


async def test_a_pod_that_only_runs_causes_no_writes(world):
    world.pod()
    await world.pass_time(1)
    world.client.calls.clear()
    await world.pass_time(60)
    assert {call for call in world.client.writes() if "pods" in call} == set()


async def test_init_containers_run_one_after_the_other(world):
    world.pod(initContainers=[{}, {}])
    await world.pass_time()
    assert [process.spec.argv[0] for process in world.runner.started] == ["i0"]
    assert world.status()["phase"] == "Pending"
    assert world.condition("Initialized")["message"] == "containers with incomplete status: [i0 i1]"
    assert world.state("c0") == ("waiting", "PodInitializing")
    world.process("i0").exit(0)
    await world.pass_time()
    assert world.state("i0") == ("terminated", "Completed")
    assert world.container("i0")["ready"] is True
    world.process("i1").exit(0)
    await world.pass_time()
    assert [process.spec.argv[0] for process in world.runner.started] == ["i0", "i1", "work"]
    assert world.status()["phase"] == "Running"


async def test_a_failing_init_container_fails_a_pod_that_is_never_restarted(world):
    world.pod(initContainers=[{}], restartPolicy="Never")
    await world.pass_time()
    world.process("i0").exit(3)
    await world.pass_time()
    assert world.status()["phase"] == "Failed"
    assert world.state("i0") == ("terminated", "Error")
    assert world.container("i0")["state"]["terminated"]["exitCode"] == 3
    assert world.state("c0") == ("waiting", "PodInitializing")
    assert len(world.runner.started) == 1


async def test_a_failing_init_container_is_tried_again_otherwise(world):
    world.pod(initContainers=[{}], restartPolicy="OnFailure")
    await world.pass_time()
    world.process("i0").exit(1)
    await world.pass_time()
    assert len(world.runner.started) == 2
    world.process("i0").exit(1)
    await world.pass_time(9)
    assert world.state("i0") == ("waiting", "CrashLoopBackOff")
    assert world.status()["phase"] == "Pending"
    await world.pass_time(2)
    assert world.container("i0")["restartCount"] == 2


async def test_a_sidecar_starts_before_and_ends_after_the_main_containers(world):
    world.pod(initContainers=[{"restartPolicy": "Always"}, {}], restartPolicy="Never")
    await world.pass_time()
    assert [process.spec.argv[0] for process in world.runner.started] == ["i0", "i1"]
    world.process("i1").exit(0)
    await world.pass_time()
    assert world.status()["phase"] == "Running"
    world.process("work").exit(0)
    await world.pass_time(1)
    assert world.process("i0").signals == [signal.SIGTERM]
    assert world.status()["phase"] == "Succeeded"
    assert world.condition("Ready")["reason"] == "PodCompleted"


async def test_a_sidecar_that_ends_is_started_again_beside_the_running_main_container(world):
    world.pod(initContainers=[{"restartPolicy": "Always"}], restartPolicy="Never")
    await world.pass_time()
    world.process("i0").exit(1)
    await world.pass_time()
    assert world.container("i0")["restartCount"] == 1
    assert world.status()["phase"] == "Running"


@pytest.mark.parametrize(
    ("policy", "code", "phase", "runs"),
    [
        ("Never", 0, "Succeeded", 1),
        ("Never", 5, "Failed", 1),
        ("OnFailure", 0, "Succeeded", 1),
        ("OnFailure", 5, "Running", 2),
        ("Always", 0, "Running", 2),
        ("Always", 5, "Running", 2),
    ],
)
async def test_the_restart_policy_decides_what_follows_an_end(world, policy, code, phase, runs):
    world.pod(restartPolicy=policy)
    await world.pass_time()
    world.process("work").exit(code)
    await world.pass_time()
    assert world.status()["phase"] == phase
    assert len(world.runner.started) == runs
    if runs == 2:
        assert world.container()["lastState"]["terminated"]["exitCode"] == code


async def test_back_off_doubles_from_ten_seconds_and_is_reported(world):
    world.pod()
    await world.pass_time()
    world.process("work").exit(1)
    await world.pass_time()
    for wait in (10, 20, 40):
        before = len(world.runner.started)
        world.process("work").exit(1)
        await world.pass_time(wait - 1)
        assert len(world.runner.started) == before
        assert world.state() == ("waiting", "CrashLoopBackOff")
        message = world.container()["state"]["waiting"]["message"]
        assert message == f"back-off {wait}s restarting failed container=c0 pod=p_ns(uid-of-p)"
        await world.pass_time(2)
        assert len(world.runner.started) == before + 1
    assert world.events("BackOff") == ["Back-off restarting failed container c0 in pod p_ns(uid-of-p)"]


async def test_a_container_that_ran_long_enough_starts_again_at_once(world):
    world.pod()
    await world.pass_time()
    for _ in range(3):
        world.process("work").exit(1)
        await world.pass_time(700)
    before = len(world.runner.started)
    world.process("work").exit(1)
    await world.pass_time()
    assert len(world.runner.started) == before + 1


async def test_an_unknown_image_is_an_error_that_names_it_and_the_table(world):
    world.pod("p", {"image": "example.com/nope:1"})
    await world.pass_time()
    assert world.state() == ("waiting", "ErrImagePull")
    message = world.container()["state"]["waiting"]["message"]
    assert message.startswith('no entry of the image table matches "example.com/nope:1"')
    assert "images.yaml" in message
    await world.pass_time(6)
    assert world.state() == ("waiting", "ImagePullBackOff")
    assert (
        'Back-off pulling image "example.com/nope:1": ErrImagePull:' in world.container()["state"]["waiting"]["message"]
    )
    assert "Error: ErrImagePull" in world.events("Failed")
    assert "Error: ImagePullBackOff" in world.events("Failed")
    assert world.status()["phase"] == "Pending"


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        ({"image": "a/UPPER:x"}, "InvalidImageName"),
        ({"image": "example.com/nope", "imagePullPolicy": "Never"}, "ErrImageNeverPull"),
        ({"envFrom": [{"configMapRef": {"name": "none"}}]}, "CreateContainerConfigError"),
        ({"volumeMounts": [{"name": "none", "mountPath": "/x"}]}, "CreateContainerConfigError"),
    ],
)
async def test_a_container_that_cannot_be_made_waits_with_the_reason(world, container, reason):
    world.pod("p", container)
    await world.pass_time()
    assert world.state() == ("waiting", reason)
    message = world.container()["state"]["waiting"]["message"]
    assert f"Error: {message if reason == 'CreateContainerConfigError' else reason}" in world.events("Failed")


async def test_a_missing_config_map_that_appears_lets_the_container_start(world):
    world.pod("p", {"envFrom": [{"configMapRef": {"name": "late"}}]})
    await world.pass_time()
    await world.client.create(
        CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late", "namespace": "ns"}}
    )
    await world.pass_time(3)
    assert world.state() == ("running", "")


async def test_a_missing_volume_is_an_event_and_is_tried_again(world):
    world.pod("p", volumes=[{"name": "v", "secret": {"secretName": "late"}}])
    await world.pass_time(1)
    await world.pass_time(29)
    (event,) = [event for event in world.client.objects(EVENTS) if event["reason"] == "FailedMount"]
    assert event["message"] == 'MountVolume.SetUp failed for volume "v" : secret "late" not found'
    assert 4 <= event["count"] <= 8
    assert world.state() == ("waiting", "ContainerCreating")
    assert world.condition("PodReadyToStartContainers")["status"] == "False"
    await world.client.create(
        SECRETS, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "late", "namespace": "ns"}}
    )
    await world.pass_time(3)
    assert world.state() == ("running", "")


async def test_a_program_that_is_not_there_is_a_start_error(world):
    world.runner.refuse["work"] = 'exec: "work": executable file not found in $PATH'
    world.pod(restartPolicy="Never")
    await world.pass_time()
    assert world.state() == ("terminated", "StartError")
    terminated = world.container()["state"]["terminated"]
    assert terminated["exitCode"] == 128
    assert "executable file not found" in terminated["message"]
    assert world.status()["phase"] == "Failed"
    assert any("executable file not found" in message for message in world.events("Failed"))


async def test_deletion_asks_first_then_kills_then_removes_the_pod(world):
    world.pod(terminationGracePeriodSeconds=20)
    await world.pass_time()
    process = world.process("work")
    process.stubborn = True
    await world.delete(grace=20)
    await world.pass_time(19)
    assert process.signals == [signal.SIGTERM]
    assert world.client.find(PODS, "p", "ns") is not None
    await world.pass_time(2)
    assert process.signals == [signal.SIGTERM, signal.SIGKILL]
    assert world.client.find(PODS, "p", "ns") is None
    assert world.events("Killing") == ["Stopping container c0"]


async def test_a_shorter_grace_period_counts_while_a_pod_is_ending(world):
    world.pod()
    await world.pass_time()
    process = world.process("work")
    process.stubborn = True
    await world.delete(grace=30)
    await world.delete(grace=2)
    await world.pass_time(3)
    assert signal.SIGKILL in process.signals
    assert world.client.find(PODS, "p", "ns") is None


async def test_a_pod_that_vanished_is_killed_at_once_and_leaves_nothing(world, tmp_path):
    world.pod(volumes=[{"name": "v", "emptyDir": {}}])
    await world.pass_time()
    process = world.process("work")
    await world.client.delete(PODS, "p", "ns")
    await world.pass_time(0.1)
    assert process.signals == [signal.SIGKILL]
    assert list((tmp_path / "kubelet" / "pods").iterdir()) == []


async def test_a_pre_stop_hook_runs_before_the_signal_within_the_grace_period(world):
    world.pod("p", {"lifecycle": {"preStop": {"exec": {"command": ["hook"]}}}})
    await world.pass_time()
    main = world.process("work")
    await world.delete(grace=10)
    assert world.process("hook").running
    assert main.signals == []
    world.process("hook").exit(0)
    await world.pass_time()
    assert main.signals == [signal.SIGTERM]
    assert world.client.find(PODS, "p", "ns") is None


async def test_a_post_start_hook_that_fails_ends_the_container(world):
    world.pod("p", {"lifecycle": {"postStart": {"exec": {"command": ["hook"]}}}}, restartPolicy="Never")
    await world.pass_time()
    assert world.state() == ("waiting", "ContainerCreating")
    world.process("hook").say("no luck")
    world.process("hook").exit(1)
    await world.pass_time()
    assert world.process("work").signals == [signal.SIGTERM]
    assert world.events("FailedPostStartHook") == ["PostStartHook failed"]


async def test_the_active_deadline_fails_the_pod(world):
    world.pod(activeDeadlineSeconds=30)
    await world.pass_time(29)
    assert world.status()["phase"] == "Running"
    await world.pass_time(2)
    status = world.status()
    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")
    assert status["message"] == "Pod was active on the node longer than the specified deadline"
    assert world.events("DeadlineExceeded") == [status["message"]]
    assert not world.runner.running()


async def test_a_volume_beyond_its_limit_evicts_the_pod(world, tmp_path):
    world.pod(volumes=[{"name": "v", "emptyDir": {"sizeLimit": "1Ki"}}])
    await world.pass_time()
    (tmp_path / "kubelet" / "pods" / "uid-of-p" / "volumes" / "v" / "f").write_bytes(b"x" * 2000)
    await world.pass_time(11)
    status = world.status()
    assert (status["phase"], status["reason"]) == ("Failed", "Evicted")
    assert status["message"] == 'Usage of EmptyDir volume "v" exceeds the limit "1Ki". '
    assert world.events("Evicted") == [status["message"]]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"c0": "1Ki"}, "Pod ephemeral local storage usage exceeds the total limit of containers 1Ki. "),
        ({"c0": "1Ki", "c1": "1Ki"}, "Pod ephemeral local storage usage exceeds the total limit of containers 2Ki. "),
        ({"c0": "1Ki", "c1": "1Mi"}, 'Container c0 exceeded its local ephemeral storage limit "1Ki". '),
        ({"c0": "1Mi"}, ""),
    ],
)
async def test_containers_beyond_their_storage_evict_the_pod(world, tmp_path, limits, message):
    containers = [{"resources": {"limits": {"ephemeral-storage": limit}}} for limit in limits.values()]
    world.pod("p", *containers)
    await world.pass_time()
    (tmp_path / "kubelet/pods/uid-of-p/containers/c0/0/root/f").write_bytes(b"x" * 3000)
    await world.pass_time(11)
    assert world.status().get("message", "") == message
    assert world.status()["phase"] == ("Failed" if message else "Running")


async def test_what_is_in_volumes_counts_as_a_pod_s_storage_unless_it_is_memory(world, tmp_path):
    limited = {"resources": {"limits": {"ephemeral-storage": "1Ki"}}}
    for name, source in (("disk", {}), ("memory", {"medium": "Memory"})):
        world.pod(name, limited, volumes=[{"name": "v", "emptyDir": source}])
    await world.pass_time()
    for name in ("disk", "memory"):
        (tmp_path / f"kubelet/pods/uid-of-{name}/volumes/v/f").write_bytes(b"x" * 2000)
    await world.pass_time(11)
    assert [world.status(name)["phase"] for name in ("disk", "memory")] == ["Failed", "Running"]


async def test_exec_probes_decide_startup_readiness_and_life(world):
    probe = {"periodSeconds": 1, "failureThreshold": 2}
    world.pod(
        "p",
        {
            "startupProbe": {"exec": {"command": ["startup"]}, **probe, "failureThreshold": 5},
            "readinessProbe": {"exec": {"command": ["readiness"]}, **probe},
            "livenessProbe": {"exec": {"command": ["liveness"]}, **probe},
        },
        terminationGracePeriodSeconds=0,
    )
    codes = {"startup": 1, "readiness": 1, "liveness": 0}
    world.runner.on_start = lambda process: (
        process.exit(codes[process.spec.argv[0]]) if process.spec.argv[0] in codes else None
    )
    await world.pass_time(2)
    assert world.container()["started"] is False
    assert not [process for process in world.runner.started if process.spec.argv[0] == "liveness"]
    codes["startup"] = 0
    await world.pass_time(2)
    assert world.container()["started"] is True
    assert world.container()["ready"] is False
    assert world.condition("Ready")["message"] == "containers with unready status: [c0]"
    codes["readiness"] = 0
    await world.pass_time(1)
    assert world.condition("Ready")["status"] == "True"
    codes["readiness"] = 1
    await world.pass_time(3)
    assert world.condition("Ready")["status"] == "False"
    codes["liveness"] = 1
    await world.pass_time(2)
    assert world.container()["restartCount"] == 1
    assert "Container c0 failed liveness probe, will be restarted" in world.events("Killing")
    assert any(message.startswith("Liveness probe failed") for message in world.events("Unhealthy"))


async def test_a_probe_command_that_hangs_is_killed_and_counts_as_failed(world):
    world.pod("p", {"readinessProbe": {"exec": {"command": ["slow"]}, "timeoutSeconds": 2, "failureThreshold": 1}})
    await world.pass_time(3)
    assert world.process("slow").signals == [signal.SIGKILL]
    assert 'command timed out: "slow" timed out after 2s' in world.events("Unhealthy")[0]


async def test_the_termination_message_is_the_file_or_on_failure_the_end_of_the_log(world, tmp_path):
    world.pod(restartPolicy="Never")
    await world.pass_time()
    world.process("work").say("no space left\n", stderr=True)
    world.process("work").exit(1)
    await world.pass_time()
    assert world.container()["state"]["terminated"]["message"] == "no space left\n"

    def leave_message(process):
        with open(process.spec.env["KAITO_TERMINATION_LOG"], "w") as file:
            file.write("said so")
        process.exit(1)

    world.runner.on_start = leave_message
    world.pod("q", restartPolicy="Never")
    await world.pass_time()
    assert world.container(pod="q")["state"]["terminated"]["message"] == "said so"


async def test_the_environment_is_clean_and_names_the_container_s_root(world):
    world.pod("p", {"env": [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]})
    await world.pass_time()
    env = world.process("work").spec.env
    assert set(env) == {
        "PATH",
        "HOME",
        "TMPDIR",
        "HOSTNAME",
        "LANG",
        "KAITO_CONTAINER_ROOT",
        "KAITO_CONTAINER_ID",
        "KAITO_TERMINATION_LOG",
        "KAITO_POD_IP",
        "IP",
    }
    assert env["HOSTNAME"] == "p"
    assert env["IP"] == env["KAITO_POD_IP"] == world.status()["podIP"].replace("10.", "127.", 1)
    assert env["HOME"].startswith(env["KAITO_CONTAINER_ROOT"])


async def test_arguments_are_expanded_and_mount_paths_rewritten(world):
    world.pod(
        "p",
        {
            "command": ["work", "$(A)", "$$(A)", "cat /mnt/v/x"],
            "env": [{"name": "A", "value": "/mnt/v"}],
            "volumeMounts": [{"name": "v", "mountPath": "/mnt/v"}],
            "workingDir": "/srv/app",
        },
        volumes=[{"name": "v", "emptyDir": {}}],
    )
    await world.pass_time()
    spec = world.process("work").spec
    root = spec.env["KAITO_CONTAINER_ROOT"]
    assert spec.argv == ("work", f"{root}/mnt/v", "$(A)", f"cat {root}/mnt/v/x")
    assert spec.env["A"] == f"{root}/mnt/v"
    assert str(spec.cwd) == f"{root}/srv/app"


async def test_a_pull_check_sees_the_pull_secrets_and_can_refuse(world, tmp_path):
    from tests.unit.kubelet.world import World

    asked = []

    async def check(image, configs):
        asked.append((image, configs))
        return "401 Unauthorized from the registry" if not configs else None

    other = World(tmp_path / "other", pull_check=check)
    await other.start()
    try:
        other.client.seed(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "s", "namespace": "ns"},
                "data": {".dockerconfigjson": "eyJhdXRocyI6IHt9fQ=="},
            }
        )
        other.pod("refused")
        other.pod("allowed", imagePullSecrets=[{"name": "s"}, {"name": "none"}])
        await other.pass_time()
        assert other.state(pod="refused") == ("waiting", "ErrImagePull")
        assert "401 Unauthorized" in other.container(pod="refused")["state"]["waiting"]["message"]
        assert other.state(pod="allowed") == ("running", "")
        assert ("busybox", [{"auths": {}}]) in asked
    finally:
        await other.stop()


async def test_a_status_that_could_not_be_written_is_written_later(world):
    world.client.fail(ServerError("down", status=500), verb="patch", resource="pods", times=2)
    world.pod()
    await world.pass_time(10)
    assert world.status()["phase"] == "Running"
    assert len(world.runner.started) == 1


async def test_a_changed_config_map_reaches_a_mounted_volume_at_once(world, tmp_path):
    obj = world.client.seed(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "ns"}, "data": {"k": "1"}}
    )
    world.pod(volumes=[{"name": "v", "configMap": {"name": "c"}}])
    await world.pass_time()
    file = tmp_path / "kubelet" / "pods" / "uid-of-p" / "volumes" / "v" / "k"
    assert file.read_text() == "1"
    await world.client.update(CONFIG_MAPS, {**obj, "data": {"k": "2"}})
    await world.pass_time()
    assert file.read_text() == "2"


async def test_killing_a_container_as_a_fault(world):
    world.pod()
    await world.pass_time()
    assert await world.manager.kill_container("ns", "p", "c0")
    assert not await world.manager.kill_container("ns", "p", "none")
    assert not await world.manager.kill_container("ns", "none", "c0")
    await world.pass_time()
    assert world.container()["lastState"]["terminated"]["exitCode"] == 137
    assert world.container()["restartCount"] == 1


async def test_a_deleted_pod_that_never_ran_becomes_failed_before_it_goes(world):
    world.pod(volumes=[{"name": "v", "secret": {"secretName": "none"}}], metadata={"finalizers": ["x/y"]})
    await world.pass_time(1)
    assert world.status()["phase"] == "Pending"
    await world.delete(grace=0)
    await world.pass_time(1)
    assert world.status()["phase"] == "Failed"
    assert world.state() == ("terminated", "ContainerStatusUnknown")
    assert world.container()["state"]["terminated"]["exitCode"] == 137


async def test_a_deleted_pod_in_back_off_ends_with_its_last_end(world):
    world.pod(metadata={"finalizers": ["x/y"]})
    await world.pass_time()
    for _ in range(2):
        world.process("work").exit(4)
        await world.pass_time()
    assert world.state() == ("waiting", "CrashLoopBackOff")
    await world.delete()
    await world.pass_time(1)
    assert world.status()["phase"] == "Failed"
    assert world.container()["state"]["terminated"]["exitCode"] == 4


async def test_a_container_whose_image_is_changed_is_restarted_with_the_new_one(world):
    pod = world.pod()
    await world.pass_time()
    pod["spec"]["containers"][0]["image"] = "alpine"
    world.client.seed(pod)
    await world.pass_time(1)
    assert world.runner.started[0].signals == [signal.SIGTERM]
    assert world.container()["imageID"] == "process://docker.io/library/alpine:latest"
    assert world.container()["restartCount"] == 1
    assert "Container c0 definition changed, will be restarted" in world.events("Killing")
