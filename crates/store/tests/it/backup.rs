//! A backup made under load holds everything acknowledged before it, and only an honest one is
//! restored.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use model::Span;
use store::{Damaged, HouseKey, Manifest, Store, StoreError, restore};

use crate::house::{self, NOW};

async fn whole(backup: &Path, target: &Path) -> Result<Manifest, StoreError> {
    let restored = restore(backup, target, Damaged::Refused).await?;
    assert!(restored.left_out.is_empty());
    Ok(restored.manifest)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_restored_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("data"), &HouseKey::generate()).await.unwrap();
    let house = house::found(&store, "100").await.unwrap();
    let tenant = house.tenant;
    let clip = store.system(tenant).put_blob(vec![7; 100_000], NOW).await.unwrap();
    let recording = dir.path().join("data/recordings").join(tenant.to_string()).join("1.rec");
    std::fs::create_dir_all(recording.parent().unwrap()).unwrap();
    std::fs::write(&recording, [1, 2, 3]).unwrap();

    let (kept, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let load = tokio::spawn({
        let (store, kept, stop) = (store.clone(), Arc::clone(&kept), Arc::clone(&stop));
        async move {
            for seq in 1.. {
                let at = NOW + Span::from_millis(i64::try_from(seq).unwrap());
                let (_, batch) = house::arrival(&house, seq, at, "+302105550142");
                store.floor().commit(batch).await.unwrap();
                kept.store(seq, Ordering::SeqCst);
                if stop.load(Ordering::SeqCst) {
                    break;
                }
            }
        }
    });
    while kept.load(Ordering::SeqCst) < 20 {
        tokio::task::yield_now().await;
    }
    // A small backup may fit between two commits: what is proven is one beside writing.
    let (before, backup, manifest) = 'beside: {
        for n in 0..50 {
            let before = kept.load(Ordering::SeqCst);
            let backup = dir.path().join(format!("backup-{n}"));
            let manifest = store::backup(store.dir(), &backup, NOW).await.unwrap();
            if kept.load(Ordering::SeqCst) > before {
                break 'beside (before, backup, manifest);
            }
        }
        panic!("no writing beside fifty backups");
    };
    stop.store(true, Ordering::SeqCst);
    load.await.unwrap();
    assert_eq!(manifest.files.len(), 3);

    let target = dir.path().join("restored");
    assert_eq!(whole(&backup, &target).await.unwrap(), manifest);
    assert!(matches!(whole(&backup, &target).await, Err(StoreError::Folder { .. })));
    let again = Store::open(&target, &HouseKey::generate()).await.unwrap();
    let db = again.system(tenant);
    let last = db.last_seq().await.unwrap();
    assert!(last >= before && last <= kept.load(Ordering::SeqCst));
    assert_eq!(db.unfinished_calls().await.unwrap().len() as u64, last);
    assert_eq!(db.blob(clip).await.unwrap(), vec![7; 100_000]);
    assert_eq!(db.config().await.unwrap(), store.system(tenant).config().await.unwrap());
}

#[tokio::test]
async fn a_tampered_backup_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("data"), &HouseKey::generate()).await.unwrap();
    let house = house::found(&store, "100").await.unwrap();
    store.system(house.tenant).put_blob(vec![7; 1_000], NOW).await.unwrap();
    let backup = dir.path().join("backup");
    let manifest = store::backup(store.dir(), &backup, NOW).await.unwrap();
    let target = dir.path().join("restored");
    let text = std::fs::read_to_string(backup.join("manifest.json")).unwrap();
    let blob = manifest.files[1].path.clone();

    std::fs::write(dir.path().join("secret"), "outside").unwrap();
    for evil in ["../secret", "/etc/passwd", "blobs/../../secret", "antiphon.lock"] {
        std::fs::write(backup.join("manifest.json"), text.replace(&blob, evil)).unwrap();
        refused(&backup, &target).await;
    }
    std::fs::write(backup.join("manifest.json"), &text).unwrap();
    std::fs::write(backup.join(&blob), vec![8; 1_000]).unwrap();
    refused(&backup, &target).await;

    std::fs::remove_file(backup.join(&blob)).unwrap();
    std::os::unix::fs::symlink(dir.path().join("secret"), backup.join(&blob)).unwrap();
    refused(&backup, &target).await;

    std::fs::remove_file(backup.join("manifest.json")).unwrap();
    let none = whole(&backup, &target).await.unwrap_err().to_string();
    assert!(none.ends_with("is no backup: there is no manifest in it"), "{none}");
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

async fn refused(backup: &Path, target: &Path) {
    let error = whole(backup, target).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(!target.exists());
}

#[tokio::test]
async fn a_house_at_rest_is_backed_up_too_and_what_is_missing_is_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let store = Store::open(&data, &HouseKey::generate()).await.unwrap();
    let house = house::found(&store, "100").await.unwrap();
    store.close().await;
    drop(store);
    store::backup(&data, &dir.path().join("backup"), NOW).await.unwrap();
    whole(&dir.path().join("backup"), &dir.path().join("restored")).await.unwrap();
    let again = Store::open(&dir.path().join("restored"), &HouseKey::generate()).await.unwrap();
    assert_eq!(again.tenants().await.unwrap()[0].id, house.tenant);

    let nowhere = dir.path().join("nowhere");
    store::backup(&nowhere, &dir.path().join("other"), NOW).await.unwrap_err();
    assert!(!nowhere.exists() && !dir.path().join("other").exists());
}

#[tokio::test]
async fn damaged_recordings_can_be_left_out_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("data"), &HouseKey::generate()).await.unwrap();
    let house = house::found(&store, "100").await.unwrap();
    let clip = store.system(house.tenant).put_blob(vec![7; 1_000], NOW).await.unwrap();
    let calls = dir.path().join("data/recordings/a/2026-01-01");
    std::fs::create_dir_all(&calls).unwrap();
    for name in ["good.rec", "changed.rec", "missing.rec"] {
        std::fs::write(calls.join(name), name).unwrap();
    }
    // Folders above it are made as well.
    let backup = dir.path().join("some/where/backup");
    store::backup(store.dir(), &backup, NOW).await.unwrap();
    let recording = |name: &str| format!("recordings/a/2026-01-01/{name}.rec");
    std::fs::write(backup.join(recording("changed")), "CHANGED.rec").unwrap();
    std::fs::remove_file(backup.join(recording("missing"))).unwrap();

    let target = dir.path().join("new/restored");
    refused(&backup, &target).await;
    let restored = restore(&backup, &target, Damaged::RecordingsLeftOut).await.unwrap();
    let left_out: Vec<_> = restored.left_out.iter().map(|(path, _)| path.clone()).collect();
    assert_eq!(left_out, [recording("changed"), recording("missing")]);
    assert!(target.join(recording("good")).exists() && !target.join(recording("changed")).exists());
    assert_eq!(
        Store::open(&target, &HouseKey::generate()).await.unwrap().tenants().await.unwrap().len(),
        1
    );

    for whole in [format!("blobs/{clip}"), "antiphon.db".to_owned()] {
        let file = backup.join(&whole);
        let kept = std::fs::read(&file).unwrap();
        std::fs::write(&file, "damaged").unwrap();
        let other = dir.path().join("other");
        let error = restore(&backup, &other, Damaged::RecordingsLeftOut).await.unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{whole}: {error}");
        assert!(!other.exists());
        std::fs::write(&file, kept).unwrap();
    }
}
