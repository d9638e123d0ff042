//! Replications that a node keeps running, as a program has them in hand.

use crate::world::{World, name, put};
use std::time::Duration;
use trunkline_replicate::{Definition, Event, EventKind, JobState, Replications, Secrets};

fn replications(world: &World) -> Replications {
    Replications::new(world.store.clone(), Secrets::default())
}

#[tokio::test]
async fn lists_cancels_and_shuts_down() {
    let world = World::new();
    put(&world.database("source"), "a", None, "{}");
    let replications = replications(&world);
    let definition = || Definition::continuous("source", "target");
    let id = replications.start(definition()).unwrap();
    assert_eq!(replications.start(definition()).unwrap(), id);
    assert!(id.ends_with("+continuous"));
    let jobs = replications.jobs();
    assert_eq!((jobs.len(), &jobs[0].id, jobs[0].continuous), (1, &id, true));
    assert_eq!(replications.stop("nothing").await, None);
    assert_eq!(replications.stop(&id).await, Some(id.clone()));
    assert!(replications.jobs().is_empty());

    replications
        .run(Definition::new("source", "target"))
        .await
        .unwrap();
    world.assert_equal();
    replications
        .start(Definition::continuous("target", "source"))
        .unwrap();
    replications.shutdown().await;
    assert!(replications.jobs().is_empty());
    assert!(
        replications
            .run(Definition::new("source", "target"))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn tells_what_happens_in_order() {
    let world = World::new();
    put(&world.database("source"), "a", None, "{}");
    let replications = replications(&world);
    let mut events = replications.events();
    let id = replications
        .start(Definition::continuous("source", "target"))
        .unwrap();
    let mut next = async || {
        let Event { job, kind } = events.next().await.unwrap();
        assert_eq!(job, id);
        kind
    };
    assert_eq!(next().await, EventKind::Active);
    assert_eq!(next().await, EventKind::Change { docs_written: 1 });
    assert_eq!(next().await, EventKind::Paused { error: None });
    let job = replications.job(&id).unwrap();
    assert_eq!((job.state, job.lag_ms, job.failures), (JobState::Running, 0, 0));
    put(&world.database("source"), "b", None, "{}");
    assert_eq!(next().await, EventKind::Active);
    replications.cancel(&id);
    loop {
        match next().await {
            EventKind::Complete { error } => break assert_eq!(error, None),
            EventKind::Change { .. } | EventKind::Paused { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn runs_where_there_is_no_runtime() {
    let world = World::new();
    put(&world.database("source"), "a", None, "{}");
    let replications = replications(&world);
    let mut events = replications.events();
    replications
        .start(Definition::continuous("source", "target"))
        .unwrap();
    loop {
        if events.next_blocking().unwrap().kind == (EventKind::Change { docs_written: 1 }) {
            break;
        }
    }
    world.assert_equal();
}

#[tokio::test]
async fn documents_of_before_are_jobs_again_and_thousands_of_them_start() {
    const JOBS: usize = 1000;
    let world = World::new();
    put(&world.database("source"), "a", None, "{}");
    let documents = world.store.create(&name("x/_replicator")).unwrap();
    for at in 0..JOBS {
        let body = format!(
            r#"{{"source":"source","target":"target","continuous":true,"doc_ids":["{at}"],"use_checkpoints":false}}"#
        );
        put(&documents, &format!("job-{at}"), None, &body);
    }
    let replications = replications(&world);
    replications.follow_documents();
    let running = |replications: &Replications| {
        let jobs = replications.jobs();
        jobs.iter().filter(|job| job.state == JobState::Running).count()
    };
    while running(&replications) < JOBS {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    replications.shutdown().await;
    // Ended in order, not to their end: they start again.
    let mut states = Vec::new();
    replications
        .documents(&name("x/_replicator"), &mut |doc| states.push(doc.state))
        .unwrap();
    assert_eq!(states, vec![JobState::Initializing; JOBS]);
}
