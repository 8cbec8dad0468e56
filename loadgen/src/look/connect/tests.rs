//! Tests of the login that results from flags, environment and contexts.

use super::*;

fn login(opts: ConnectOpts, env: &[(&str, &str)]) -> Result<Login, LoginError> {
    Login::new(&opts, &|name| {
        env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    })
}

fn secret(text: &str) -> Option<Secret> {
    Some(Secret::new(text))
}

fn to(urls: &[&str]) -> ConnectOpts {
    ConnectOpts { server: urls.iter().map(|url| Secret::new(*url)).collect(), ..ConnectOpts::default() }
}

fn password(user: &str, password: &str) -> Auth {
    Auth::Password { user: Secret::new(user), password: Secret::new(password) }
}

fn places(login: &Login) -> Vec<String> {
    login.servers.iter().map(place).collect()
}

#[test]
fn the_environment_is_read_as_the_nats_cli_reads_it() {
    let env = [("NATS_URL", "lon-1:4222, ams-1"), ("NATS_USER", "system"), ("NATS_PASSWORD", "hunter2")];
    let from_env = login(ConnectOpts::default(), &env).unwrap();
    assert_eq!(places(&from_env), ["lon-1:4222", "ams-1:4222"]);
    assert_eq!(from_env.auth, password("system", "hunter2"));
    assert!(!format!("{from_env:?}").contains("hunter2"));
    let nothing = login(ConnectOpts::default(), &[]).unwrap();
    assert_eq!((places(&nothing), nothing.auth), (vec!["127.0.0.1:4222".to_owned()], Auth::None));
}

#[test]
fn every_kind_of_credentials_can_be_in_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let seed = "SUACH75SWCM5D2JMJM6EKLR2WDARVGZT4QC6LX3AGHSWOMVAKERABBBRWM";
    let file = folder.path().join("file");
    std::fs::write(&file, format!("{seed}\n")).unwrap();
    let path = file.to_str().unwrap();
    let auth = |env: &[(&str, &str)]| login(to(&["lon"]), env).map(|login| login.auth);
    assert_eq!(auth(&[("NATS_TOKEN", "t")]).unwrap(), Auth::Token(Secret::new("t")));
    assert_eq!(auth(&[("NATS_NKEY", path)]).unwrap(), Auth::NKey(Secret::new(seed)));
    assert_eq!(auth(&[("NATS_CREDS", path)]).unwrap(), Auth::Creds(Secret::new(format!("{seed}\n"))));
    let error = auth(&[("NATS_CREDS", "/no/such")]).unwrap_err().to_string();
    assert!(error.contains("NATS_CREDS") && error.contains("/no/such"), "{error}");
    let tls = login(to(&["lon"]), &[("NATS_CA", "ca"), ("NATS_CERT", "cert"), ("NATS_KEY", "key")]).unwrap();
    assert_eq!((tls.ca, tls.certificate), (Some("ca".into()), Some(("cert".into(), "key".into()))));
}

#[test]
fn flags_come_first_then_the_address_then_the_environment() {
    let env = [("NATS_URL", "nats://a:b@lon"), ("NATS_USER", "c"), ("NATS_PASSWORD", "d")];
    let mut opts = to(&["nats://us%40er:p%3Aw@dal:1"]);
    let of_address = login(opts.clone(), &env).unwrap();
    assert_eq!((places(&of_address), &of_address.auth), (vec!["dal:1".into()], &password("us@er", "p:w")));
    assert!(!format!("{of_address:?}").contains("p%3Aw"));
    opts.user = secret("flag");
    assert_eq!(login(opts.clone(), &env).unwrap().auth, password("flag", "d"));
    opts.password = secret("f");
    assert_eq!(login(opts.clone(), &env).unwrap().auth, password("flag", "f"));
    opts.password = None;
    assert_eq!(login(opts, &[]).unwrap().auth, Auth::Token(Secret::new("flag")), "as the nats CLI");
}

#[test]
fn a_wrong_address_is_not_quoted() {
    for urls in [&["nats://lon", "http://u:hunter2@ams"][..], &["lon,nats://u:hunter2@[ams"]] {
        let error = login(to(urls), &[]).unwrap_err().to_string();
        assert!(error.contains("server 2 of the list") && !error.contains("hunter2"), "{error}");
    }
    assert!(login(to(&[","]), &[]).is_err());
}

fn context(text: &str, opts: ConnectOpts, more: &[(&str, &str)]) -> Login {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("nats/context")).unwrap();
    std::fs::write(folder.path().join("nats/context/sys.json"), text).unwrap();
    std::fs::write(folder.path().join("nats/context.txt"), "sys").unwrap();
    std::fs::write(folder.path().join("seed"), "a comment\nSUAM\n").unwrap();
    let home = folder.path().display().to_string();
    login(opts, &[&[("XDG_CONFIG_HOME", home.as_str()), ("HOME", &home)], more].concat()).unwrap()
}

#[test]
fn a_context_gives_what_flags_leave_open() {
    const TEXT: &str = r#"{"url": "nats://lon", "user": "system", "password": "hunter2", "ca": "~/ca",
                           "inbox_prefix": "_me", "jetstream_domain": "hub"}"#;
    let selected = context(TEXT, ConnectOpts::default(), &[]);
    assert_eq!(
        (places(&selected), &selected.auth),
        (vec!["lon:4222".into()], &password("system", "hunter2"))
    );
    assert!(selected.ca.as_deref().is_some_and(|path| path.is_absolute() && path.ends_with("ca")));
    assert_eq!((selected.js_domain.as_deref(), selected.inbox_prefix.as_deref()), (Some("hub"), Some("_me")));

    let elsewhere = context(TEXT, to(&["nats://evil"]), &[]);
    assert_eq!(elsewhere.auth, Auth::None, "another server gets no credentials of the selected context");
    let elsewhere = context(TEXT, ConnectOpts::default(), &[("NATS_URL", "nats://evil")]);
    assert_eq!((places(&elsewhere), elsewhere.auth), (vec!["evil:4222".into()], Auth::None));

    let named = ConnectOpts { context: Some("sys".into()), ..to(&["nats://ams"]) };
    let named = context(TEXT, named, &[("NATS_USER", "other"), ("NATS_PASSWORD", "x")]);
    assert_eq!((places(&named), named.auth), (vec!["ams:4222".into()], password("system", "hunter2")));
}

#[test]
fn every_kind_of_credentials_of_a_context() {
    let auth = |text: &str| context(text, ConnectOpts::default(), &[("T", "hunter2")]).auth;
    assert_eq!(auth(r#"{"token": "env://T"}"#), Auth::Token(Secret::new("hunter2")));
    assert_eq!(auth(r#"{"nkey": "~/seed"}"#), Auth::NKey(Secret::new("SUAM")));
    assert_eq!(auth(r#"{"creds": "file://~/seed"}"#), Auth::Creds(Secret::new("a comment\nSUAM")));
    let Auth::Creds(text) = auth(r#"{"user_jwt": "eyJ", "user_seed": "SUAM"}"#) else { panic!("no creds") };
    assert!(
        text.expose().contains("JWT-----\neyJ\n------END") && text.expose().contains("SEED-----\nSUAM\n")
    );
    assert_eq!(auth("{}"), Auth::None);
}

#[tokio::test]
async fn credentials_that_are_none_are_not_quoted() {
    let broken =
        Login { auth: Auth::Creds(Secret::new("hunter2")), ..login(to(&["127.0.0.1:1"]), &[]).unwrap() };
    let error = broken.open().await.unwrap_err().to_string();
    assert!(error.contains("cannot read the credentials") && !error.contains("hunter2"), "{error}");
    let nobody = login(to(&["nats://u:hunter2@127.0.0.1:1"]), &[]).unwrap();
    let error = nobody.open().await.unwrap_err().to_string();
    assert!(error.contains("cannot connect to 127.0.0.1:1") && !error.contains("hunter2"), "{error}");
}
