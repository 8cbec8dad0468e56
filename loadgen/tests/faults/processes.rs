//! Faults of server processes, as the operating system sees them.

use std::process::Command;
use std::time::Duration;

use loadgen::cluster::SuperCluster;
use loadgen::cluster::faults::{LinkFault, LinkKind, LinkScope, Links};
use loadgen::wan::LinkEffect;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::raw::{Seen, dial, is_refused, monitoring};
use super::{LIMIT, SILENCE, World, until};

pub(crate) async fn check(world: &mut World) {
    a_terminated_server_ends_by_itself(world).await;
    a_region_pauses_and_goes_on(world).await;
    some_servers_of_a_region_die(world).await;
    a_server_restarts_with_another_version(world).await;
    a_region_is_terminated(world).await;
    without_a_majority_nothing_waits_for_a_leader(world).await;
    a_lame_duck_that_does_not_end_is_named(world).await;
}

/// The state that `ps` shows, such as `S` or `T`; empty once the process is gone.
fn state(pid: u32) -> String {
    let shown = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap();
    String::from_utf8(shown.stdout).unwrap().trim().to_owned()
}

async fn wait_exit(cluster: &mut SuperCluster, server: &str) {
    assert!(cluster.wait_exit(server, LIMIT).await.unwrap(), "{server} lives on");
    assert_eq!(cluster.state(server).unwrap(), "dead");
}

async fn a_terminated_server_ends_by_itself(world: &mut World) {
    let (pid, mut client) = (world.pid("lon-1"), world.connect("ams", "lon-1").await);
    world.cluster.terminate_server("lon-1").unwrap();
    let end = client.ends().await;
    assert!([Seen::End, Seen::Reset].contains(&end), "{end:?}");
    wait_exit(&mut world.cluster, "lon-1").await;
    assert_eq!(state(pid), "");
    let log = std::fs::read_to_string(world.cluster.log("lon-1").unwrap()).unwrap();
    assert!(log.contains("Server Exiting"), "it was not killed: {log}");
    until("a dial is refused", async || is_refused(&world.tcp("ams", "lon-1")).await).await;
    assert_eq!(world.cluster.reap(), Vec::new(), "an end that was ordered is no surprise");
    let error = world.cluster.terminate_server("lon-1").unwrap_err().to_string();
    assert!(error.contains("cannot terminate lon-1: the server is dead"), "{error}");
    world.cluster.restart_server("lon-1").await.unwrap();
    world.assert_whole().await;
}

async fn a_region_pauses_and_goes_on(world: &mut World) {
    let pids = [world.pid("lon-1"), world.pid("lon-2")];
    let mut client = world.connect("lon", "lon-2").await;
    world.cluster.pause_region("lon").unwrap();
    for pid in pids {
        until("the process is stopped", async || state(pid).starts_with('T')).await;
    }
    assert_eq!(client.ping(SILENCE).await, Seen::Silence);
    assert_eq!(dial(&world.tcp("lon", "lon-1"), SILENCE).await, Seen::Silence);
    let error = world.cluster.pause_region("lon").unwrap_err().to_string();
    assert!(error.contains("cannot pause lon"), "{error}");
    world.cluster.resume_region("lon").await.unwrap();
    assert!(pids.into_iter().all(|pid| !state(pid).starts_with('T')));
    world.assert_whole().await;
}

async fn some_servers_of_a_region_die(world: &mut World) {
    let before = [world.pid("lon-1"), world.pid("lon-2")];
    for wrong in [0, 3] {
        let error = world.cluster.kill_some("lon", wrong, 7).unwrap_err().to_string();
        assert!(error.contains(&format!("cannot kill {wrong} servers of lon: choose 1 to 2")), "{error}");
    }
    let (first, _) = world.cluster.kill_some("lon", 1, 7).unwrap();
    assert_eq!(before.into_iter().filter(|pid| state(*pid).is_empty()).count(), 1);
    until("its port refuses", async || is_refused(&world.tcp("ams", first[0].as_str())).await).await;
    world.cluster.restart_region("lon").await.unwrap();
    world.assert_whole().await;
}

async fn a_server_restarts_with_another_version(world: &mut World) {
    let version = async |world: &World| {
        let varz = monitoring(world.cluster.monitor("lon-2").unwrap().addr(), "/varz").await;
        varz["version"].as_str().unwrap().to_owned()
    };
    assert_ne!(version(world).await, "2.14.6");
    let lon_2 = ["lon-2".to_owned()];
    let error = world.cluster.restart_servers_with(&lon_2, "2.14.6").await.unwrap_err().to_string();
    assert!(error.contains("cannot restart lon-2: the server is up"), "{error}");
    world.cluster.kill_server("lon-2").unwrap();
    for wrong in ["newest", "/no/such/nats-server"] {
        let error = world.cluster.restart_servers_with(&lon_2, wrong).await.unwrap_err().to_string();
        assert!(error.contains("lon-2") && error.contains(&format!("`{wrong}`")), "{error}");
    }
    world.cluster.restart_servers_with(&lon_2, "2.14.6").await.unwrap();
    assert_eq!(version(world).await, "2.14.6");
    world.cluster.kill_server("lon-2").unwrap();
    world.cluster.restart_server("lon-2").await.unwrap();
    assert_eq!(version(world).await, "2.14.6", "it keeps its version");
    world.assert_whole().await;
}

/// Two of four servers cannot elect a meta leader, so a fault on one of them ends without one.
async fn without_a_majority_nothing_waits_for_a_leader(world: &mut World) {
    world.cluster.kill_region("lon").unwrap();
    world.cluster.blackhole_server("ams-1").unwrap();
    world.cluster.heal_server("ams-1").await.unwrap();
    let missing = world.cluster.missing().await.join("; ");
    assert!(
        missing.contains(
            "the meta group of lon, ams can elect no leader: 2 of its servers reach each other, and 3 must"
        ),
        "{missing}"
    );
    world.cluster.restart_region("lon").await.unwrap();
    world.assert_whole().await;

    // Gateways of a new process are refused; it runs all the same.
    let links = Links::of(LinkScope::Region("lon".to_owned())).only(LinkKind::SERVERS);
    let (refused, _) = world.cluster.break_links(LinkFault { links, effect: LinkEffect::Refuse }).unwrap();
    world.cluster.kill_server("lon-1").unwrap();
    world.cluster.restart_server("lon-1").await.unwrap();
    world.cluster.mend_links(refused).unwrap();
    world.assert_whole().await;
}

async fn a_region_is_terminated(world: &mut World) {
    let pids = [world.pid("ams-1"), world.pid("ams-2")];
    world.cluster.terminate_region("ams").unwrap();
    for server in ["ams-1", "ams-2"] {
        wait_exit(&mut world.cluster, server).await;
    }
    assert!(pids.into_iter().all(|pid| state(pid).is_empty()));
    let error = world.cluster.terminate_region("ams").unwrap_err().to_string();
    assert!(error.contains("cannot terminate ams"), "{error}");
    world.cluster.restart_region("ams").await.unwrap();
    world.assert_whole().await;
}

/// A stopped process stays, whatever its order was.
async fn a_lame_duck_that_does_not_end_is_named(world: &mut World) {
    let (pid, limit) = (world.pid("lon-1"), Duration::from_millis(300));
    kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGSTOP).unwrap();
    until("the process is stopped", async || state(pid).starts_with('T')).await;
    world.cluster.lame_duck_server("lon-1").unwrap();
    let error = world.cluster.wait_retired("lon-1", limit).await.unwrap_err().to_string();
    assert!(error.contains("lon-1 is still a lame duck 0.3 s after the order"), "{error}");
    assert!(error.contains("`by = \"kill\"`"), "the remedy is missing: {error}");
    let usual = world.cluster.retirement_limit();
    assert!(usual > Duration::from_secs(30 + 10), "clients may take 30 s after 10 s of grace: {usual:?}");
    world.cluster.kill_server("lon-1").unwrap();
    world.cluster.wait_retired("lon-1", limit).await.unwrap();
    assert_eq!(state(pid), "");
    world.cluster.restart_server("lon-1").await.unwrap();
    world.assert_whole().await;
}
