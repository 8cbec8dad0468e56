//! A real S3 on this machine: `s3s-fs` over a folder, with faults in front of it.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use loadgen::store::{AwsEnvironment, Store, StoreUrl};
use s3s::auth::SimpleAuth;
use s3s::service::{S3ServiceBuilder, SharedS3Service};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::fates::{Fate, Fates};

/// Credentials that no file of a bundle may hold.
pub(crate) const KEY_ID: &str = "AKIDloadgentests0001";
pub(crate) const SECRET_KEY: &str = "s3cr3tKeyOfTheStoreTests/0123456789abcdef";

const BUCKET: &str = "loadgen-tests";
const PREFIX: &str = "team/runs";

/// A running S3. It ends with this value.
pub(crate) struct S3 {
    folder: TempDir,
    address: SocketAddr,
    pub(crate) fates: Arc<Fates>,
    server: JoinHandle<()>,
}

impl S3 {
    pub(crate) async fn start(fates: Fates) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        Self::start_on(folder, fates).await
    }

    /// The same objects behind other faults.
    pub(crate) async fn restart(self, fates: Fates) -> Self {
        self.server.abort();
        // The fields of a value that has a `Drop` cannot be moved out.
        let mut old = self;
        let folder = std::mem::replace(&mut old.folder, tempfile::tempdir().unwrap());
        Self::start_on(folder, fates).await
    }

    async fn start_on(folder: TempDir, fates: Fates) -> Self {
        let files = s3s_fs::FileSystem::new(folder.path()).unwrap();
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(KEY_ID, SECRET_KEY));
        let fates = Arc::new(fates);
        let front = Front { s3: builder.build().into_shared(), fates: fates.clone() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let connection = http1::Builder::new().serve_connection(TokioIo::new(socket), front.clone());
                // A broken connection is what the tests ask for.
                tokio::spawn(async { drop(connection.await) });
            }
        });
        Self { folder, address, fates, server }
    }

    pub(crate) fn url(&self) -> StoreUrl {
        format!("s3://{BUCKET}/{PREFIX}").parse().unwrap()
    }

    fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ACCESS_KEY_ID", KEY_ID.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_ENDPOINT_URL", format!("http://{}", self.address)),
            ("AWS_REGION", "eu-test-1".to_owned()),
        ]
    }

    pub(crate) fn store(&self) -> Store {
        let variables = self.environment();
        let value = |name: &str| Some(variables.iter().find(|(known, _)| *known == name)?.1.clone());
        Store::open_s3(&self.url(), &AwsEnvironment::read(value).unwrap()).unwrap()
    }

    /// The command `loadgen` with the credentials of this S3 in its environment.
    pub(crate) fn loadgen(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
        command.args(args).envs(self.environment()).env_remove("AWS_ENDPOINT_URL_S3").kill_on_drop(true);
        command
    }

    /// The folder that holds the objects below the prefix.
    pub(crate) fn objects(&self) -> PathBuf {
        self.folder.path().join(BUCKET).join(PREFIX)
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.server.abort();
    }
}

type BoxError = Box<dyn Error + Send + Sync>;

#[derive(Clone)]
struct Front {
    s3: SharedS3Service,
    fates: Arc<Fates>,
}

impl Service<Request<Incoming>> for Front {
    type Response = Response<Answer>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let (s3, fate) = (self.s3.clone(), self.fates.next());
        Box::pin(async move {
            match fate {
                Fate::Unavailable => return Ok(refused(503, "SlowDown")),
                Fate::Deny => return Ok(refused(403, "AccessDenied")),
                Fate::BreakRequest => {
                    std::future::poll_fn(|context| Pin::new(request.body_mut()).poll_frame(context)).await;
                    return Err("the request breaks".into());
                }
                // The fault itself: no condition is awaited here.
                Fate::Slow => tokio::time::sleep(LATE).await,
                Fate::Serve | Fate::BreakAnswer | Fate::TruncateAnswer => {}
            }
            let answer = s3.call(request).await.map_err(|error| error.to_string())?;
            if fate == Fate::BreakAnswer {
                return Err("the answer breaks".into());
            }
            let frames = if fate == Fate::TruncateAnswer { 1 } else { usize::MAX };
            Ok(answer.map(|body| Answer { body, frames }))
        })
    }
}

fn refused(status: u16, code: &str) -> Response<Answer> {
    let text = format!("<Error><Code>{code}</Code><AWSAccessKeyId>{KEY_ID}</AWSAccessKeyId></Error>");
    let body = s3s::Body::from(text);
    Response::builder().status(status).body(Answer { body, frames: usize::MAX }).unwrap()
}

/// An answer that breaks after so many frames.
struct Answer {
    body: s3s::Body,
    frames: usize,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.frames == 0 {
            return Poll::Ready(Some(Err("the answer breaks".into())));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.frames -= 1;
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.frames > 0 && self.body.is_end_stream()
    }
}

/// Slower than any answer on this machine.
const LATE: Duration = Duration::from_millis(300);
