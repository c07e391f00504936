//! The control socket: commands for a data folder that a running house has open.
//!
//! `DIR/control.sock` belongs to the owner of the house alone (mode 0600). One connection carries
//! one request and one answer, each a line of JSON, and one connection is served at a time.
//! Without a house the same request is carried out on the folder itself.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use hub::Hub;
use model::config::{Agent, Device};
use model::domain::Domain;
use model::id::{AgentId, TenantId};
use model::time::Timestamp;
use serde::{Deserialize, Serialize};
use store::{ConfigDraft, Ctx, Edit, HouseKey, KeyError, Store, Tenant, User};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::settings::Settings;
use crate::{keys, tenants};

const SOCKET_FILE: &str = "control.sock";
/// Most bytes of a request.
const REQUEST_BYTES_MAX: u64 = 16 * 1_024;
/// Most bytes of an answer: a number plan of some hundred thousand rows.
const ANSWER_BYTES_MAX: u64 = 64 * 1_024 * 1_024;
/// How long one connection may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections that may wait for their turn.
const WAITING_MAX: u32 = 16;

/// What can be asked. It holds a password: never printed.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    /// Make an account.
    AddUser {
        mail: String,
        name: String,
        role: store::Role,
        /// By name or id; may be missing when there is only one.
        tenant: Option<String>,
        password: String,
        /// Names of the queues to serve.
        #[serde(default)]
        queues: Vec<String>,
    },
    /// Make a key for a program; the answer is the key.
    CreateKey { name: String, role: store::Role, tenant: Option<String>, days: u32 },
    /// Every key of a tenant; the answer is a JSON list of `keys::KeyRow`.
    ListKeys { tenant: Option<String> },
    /// Take a key back.
    RevokeKey { name: String, tenant: Option<String> },
    /// Make a tenant with its first administrator.
    AddTenant(tenants::NewTenant),
    /// Give a tenant its SIP domain, or take it away.
    SetDomain { tenant: Option<String>, domain: Option<Domain> },
    /// Who is in the house; the answer is a JSON list of `tenants::TenantRow`.
    ListTenants,
    /// The number plan of the house; the answer is a JSON list of `tenants::NumberRow`.
    ListNumbers,
}

/// What comes of it, in words for the console.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Done(String),
    Refused(String),
}

/// The socket of a running house. Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Control {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Control {
    /// Listens in the data folder, whose lock the caller holds.
    ///
    /// # Errors
    /// When the socket cannot be made, as where the folder's path is longer than a socket's may be.
    pub(crate) fn open(dir: &Path, store: Store, hub: Hub) -> anyhow::Result<Self> {
        let path = dir.join(SOCKET_FILE);
        let listener = listen(&path)
            .with_context(|| format!("the control socket {} cannot be made", path.display()))?;
        let task = tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => serve(stream, &store, &hub).await,
                    // Out of files, say: others need a moment to close theirs.
                    Err(error) => {
                        tracing::warn!(%error, "the control socket does not accept");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                }
            }
        });
        Ok(Self { path, task })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
        // What is left behind is removed by the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn listen(path: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    // Nobody can connect before it listens.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    socket.listen(WAITING_MAX)
}

async fn serve(mut stream: UnixStream, store: &Store, hub: &Hub) {
    let answer = match timeout(PATIENCE, read_line(&mut stream, REQUEST_BYTES_MAX)).await {
        Ok(Ok(request)) => match carry_out(request, store, Some(hub), hub.now()).await {
            Ok(said) => Answer::Done(said),
            Err(error) => Answer::Refused(format!("{error:#}")),
        },
        Ok(Err(error)) => Answer::Refused(format!("the request is not understood: {error:#}")),
        Err(_) => return,
    };
    // Whoever asked may be gone.
    let _ = timeout(PATIENCE, write_line(&mut stream, &answer)).await;
}

async fn read_line<T: for<'de> Deserialize<'de>>(
    stream: &mut UnixStream,
    bytes_max: u64,
) -> anyhow::Result<T> {
    let mut line = String::new();
    BufReader::new(stream.take(bytes_max)).read_line(&mut line).await?;
    if !line.ends_with('\n') {
        bail!("a line was cut off or is longer than {bytes_max} bytes");
    }
    Ok(serde_json::from_str(&line)?)
}

async fn write_line(stream: &mut UnixStream, what: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    Ok(stream.write_all(&line).await?)
}

/// Has the running house of a data folder do something, or does it where none runs.
///
/// # Errors
/// Why it was not done.
pub(crate) async fn ask(
    settings: &Settings,
    request: Request,
    now: Timestamp,
) -> anyhow::Result<String> {
    let dir = &settings.data.dir;
    if !dir.exists() {
        bail!("there is no data folder {}; name it with --data", dir.display());
    }
    let mut stream = match UnixStream::connect(dir.join(SOCKET_FILE)).await {
        Ok(stream) => stream,
        // The second is what a killed house leaves behind.
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
        {
            // Nothing here needs the key, and one of another place must not come to be used.
            let key = match HouseKey::load(&settings.key_file()) {
                Err(KeyError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                    HouseKey::generate()
                }
                key => key?,
            };
            let store = Store::open(dir, &key).await?;
            let done = carry_out(request, &store, None, now).await;
            store.close().await;
            return done;
        }
        Err(error) => return Err(error).context("the running house cannot be asked"),
    };
    let exchange = async {
        write_line(&mut stream, &request).await?;
        read_line(&mut stream, ANSWER_BYTES_MAX).await
    };
    // As many may be before us as may wait.
    let patience = PATIENCE * (WAITING_MAX + 1);
    match timeout(patience, exchange).await.context("the running house does not answer")?? {
        Answer::Done(said) => Ok(said),
        Answer::Refused(why) => Err(anyhow!(why)),
    }
}

/// Does what is asked, makes it known to the running house, and says what to tell.
async fn carry_out(
    request: Request,
    store: &Store,
    hub: Option<&Hub>,
    at: Timestamp,
) -> anyhow::Result<String> {
    match request {
        Request::AddUser { mail, name, role, tenant, password, queues } => {
            let tenant = named(store, tenant.as_deref()).await?;
            let users = store.system(tenant).users().await?.len();
            api::check_account(&mail, &name, &password, users)?;
            let hash = store.hash_password(password).await?;
            let edit = Edit { expected: None, summary: "an account was added".to_owned(), at };
            let change = |draft: &mut ConfigDraft| -> anyhow::Result<String> {
                let id = store::fresh_id(at);
                let language = draft.config.language.clone();
                let user = User { id, mail: store::fold_mail(&mail), name, role, language };
                let said = seat(draft, &user, &queues)?;
                draft.users.insert(id, user);
                draft.passwords.insert(id, hash);
                Ok(said)
            };
            let edited = store.tenant(Ctx::system(tenant)).edit_config(edit, change).await?;
            if let Some(hub) = hub {
                let known = hub.config_changed(tenant).await;
                known.context("the account was made, but the house does not know it yet")?;
            }
            Ok(format!("the account was made; {}", edited.value))
        }
        Request::CreateKey { name, role, tenant, days } => {
            let tenant = named(store, tenant.as_deref()).await?;
            keys::create(&store.system(tenant), name, role, at, days).await
        }
        Request::ListKeys { tenant } => {
            let tenant = named(store, tenant.as_deref()).await?;
            keys::list(&store.system(tenant), at).await
        }
        Request::RevokeKey { name, tenant } => {
            let tenant = named(store, tenant.as_deref()).await?;
            keys::revoke(&store.system(tenant), name).await
        }
        Request::AddTenant(new) => tenants::add(store, hub, new, at).await,
        Request::SetDomain { tenant, domain } => {
            let tenant = named(store, tenant.as_deref()).await?;
            tenants::set_domain(store, hub, tenant, domain).await
        }
        Request::ListTenants => tenants::list(store).await,
        Request::ListNumbers => tenants::numbers(store).await,
    }
}

/// Gives an agent, and whoever is to serve queues, a desk with the telephone of the browser. An
/// agent for whom no queue is named serves the only one. Says what this person can do now.
fn seat(draft: &mut ConfigDraft, user: &User, wanted: &[String]) -> anyhow::Result<String> {
    if user.role != store::Role::Agent && wanted.is_empty() {
        return Ok("it takes no calls: name its queues with --queue for that".to_owned());
    }
    let all = &draft.config.queues;
    let mut queues = BTreeMap::new();
    for name in wanted {
        let found = all.iter().find(|(_, queue)| queue.name == *name);
        let names = || all.values().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
        let (id, _) =
            found.with_context(|| format!("there is no queue {name:?}; known: {}", names()))?;
        queues.insert(*id, name.clone());
    }
    if wanted.is_empty() && all.len() == 1 {
        queues.extend(all.iter().map(|(id, queue)| (*id, queue.name.clone())));
    }
    let said = if queues.is_empty() {
        "it has a desk, but serves no queue yet: give it one on the page under Admin, Users"
            .to_owned()
    } else {
        let names: Vec<&str> = queues.values().map(String::as_str).collect();
        format!("it takes calls of {} in the browser", names.join(", "))
    };
    let agent = Agent {
        name: user.name.clone(),
        queues: queues.into_keys().collect(),
        skills: BTreeMap::new(),
        device: Device::Browser,
        extension: None,
    };
    draft.config.agents.insert(AgentId::of_user(user.id), agent);
    Ok(said)
}

/// The tenant of this id, or else of this name: names need not differ, ids do.
async fn named(store: &Store, wanted: Option<&str>) -> anyhow::Result<TenantId> {
    let tenants = store.tenants().await?;
    let id = wanted.and_then(|text| text.parse().ok());
    if let Some(tenant) = tenants.iter().find(|tenant| Some(tenant.id) == id) {
        return Ok(tenant.id);
    }
    let named = |tenant: &&Tenant| wanted.is_none_or(|name| tenant.name == name);
    let mut found = tenants.iter().filter(named);
    let known = || {
        let name = |tenant: &Tenant| format!("{} ({})", tenant.name, tenant.id);
        tenants.iter().map(name).collect::<Vec<_>>().join(", ")
    };
    match (found.next(), found.next()) {
        (Some(tenant), None) => Ok(tenant.id),
        (Some(_), Some(_)) => bail!(
            "there are several tenants; name one with --tenant, by id where names are equal: {}",
            known()
        ),
        (None, _) if tenants.is_empty() => {
            bail!("there is no tenant yet: open the page and set up")
        }
        (None, _) => bail!("there is no such tenant; known: {}", known()),
    }
}
