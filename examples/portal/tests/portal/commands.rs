//! The documented `curl` commands against the command itself, with only host, token and ids replaced.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// The commands, as an administrator's guide has them.
const CREATE: &str = r#"curl -X POST https://your-domain.com/t/{tenantSlug}/api/v1/groups \
-H "Authorization: Bearer {admin_token}" \
-H "Content-Type: application/json" \
-d '{
"name": "Engineering",
"slug": "engineering",
"description": "Engineering team"
}'"#;
const ADD_MEMBER: &str = r#"curl -X POST https://your-domain.com/t/{tenantSlug}/api/v1/groups/{groupId}/members \
-H "Authorization: Bearer {admin_token}" \
-H "Content-Type: application/json" \
-d '{"userId": "user-uuid"}'"#;
const ASSIGN_ROLE: &str = r#"curl -X POST https://your-domain.com/t/{tenantSlug}/api/v1/groups/{groupId}/roles \
-H "Authorization: Bearer {admin_token}" \
-H "Content-Type: application/json" \
-d '{"roleId": "role-uuid"}'"#;

/// The running command. It ends with the test.
struct Running {
    child: Child,
    address: String,
    tenant: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn start(arguments: &[&str]) -> Running {
    start_for("acme-corp", arguments)
}

fn start_for(tenant: &str, arguments: &[&str]) -> Running {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rolecall-portal"))
        .args(["--listen", "127.0.0.1:0", "--token", "s3cret-token"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines.next().unwrap().unwrap().strip_prefix("listening on ").unwrap().to_owned();
    // The pipe stays open as long as somebody reads it.
    std::thread::spawn(move || lines.for_each(drop));
    Running { child, address, tenant: tenant.to_owned() }
}

impl Running {
    /// Runs a documented command; `-s` and `-w` only make curl silent and add the status.
    fn run(&self, command: &str, ids: &[(&str, &str)]) -> (u16, Value) {
        let mut command = command
            .replace("https://your-domain.com", &self.address)
            .replace("{tenantSlug}", &self.tenant)
            .replace("{admin_token}", "s3cret-token");
        for (name, id) in ids {
            command = command.replace(name, id);
        }
        let script = format!("{command} -s -w '\n%{{http_code}}'");
        let output = Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
    }

    fn get(&self, path: &str) -> Value {
        let command = format!(
            "curl https://your-domain.com/t/{{tenantSlug}}/api/v1{path} -H 'Authorization: Bearer {{admin_token}}'"
        );
        let (status, body) = self.run(&command, &[]);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }
}

#[test]
fn the_documented_commands_work_with_only_host_token_and_ids_replaced() {
    let portal = start(&[]);
    let (status, group) = portal.run(CREATE, &[]);
    assert_eq!(status, 201, "{group}");
    assert_eq!((&group["slug"], &group["name"]), (&"engineering".into(), &"Engineering".into()));
    assert_eq!(group["description"], "Engineering team");
    let group = group["id"].as_str().unwrap();

    let users = portal.get("/users?search=bob");
    let user = users["items"][0]["id"].as_str().unwrap();
    let (status, member) = portal.run(ADD_MEMBER, &[("{groupId}", group), ("user-uuid", user)]);
    assert_eq!((status, &member["userId"]), (201, &user.into()), "{member}");

    let roles = portal.get("/roles?search=developer");
    let role = roles["items"][0]["id"].as_str().unwrap();
    let (status, assigned) = portal.run(ASSIGN_ROLE, &[("{groupId}", group), ("role-uuid", role)]);
    assert_eq!((status, &assigned["roleId"]), (201, &role.into()), "{assigned}");

    // The member has what the role grants, and the answer says from where.
    let effective = portal.get(&format!("/users/{user}/effective-permissions?limit=200"));
    let push = effective["items"].as_array().unwrap().iter().find(|item| item["slug"] == "code:push").unwrap();
    assert_eq!(push["source"], "is in `engineering`, which has the role `developer`, which grants `code:*`");

    // The same commands again: the group exists, the others have nothing to do.
    assert_eq!(portal.run(CREATE, &[]).0, 409);
    assert_eq!(portal.run(ADD_MEMBER, &[("{groupId}", group), ("user-uuid", user)]).0, 200);
    assert_eq!(portal.run(ASSIGN_ROLE, &[("{groupId}", group), ("role-uuid", role)]).0, 200);

    // Another token, no such group, no such user, not an id.
    let unknown = "7b0c4f0e-0000-4000-8000-000000000000";
    assert_eq!(portal.run(&CREATE.replace("{admin_token}", "guessed"), &[]).0, 401);
    assert_eq!(portal.run(ADD_MEMBER, &[("{groupId}", unknown), ("user-uuid", user)]).0, 404);
    assert_eq!(portal.run(ADD_MEMBER, &[("{groupId}", group), ("user-uuid", unknown)]).0, 404);
    assert_eq!(portal.run(ADD_MEMBER, &[("{groupId}", group), ("user-uuid", "bob")]).0, 422);
}

#[test]
fn a_file_keeps_the_tenant_and_a_document_begins_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tenants.redb");
    let arguments = ["--redb", file.to_str().unwrap()];
    let first = start(&arguments);
    assert_eq!(first.run(CREATE, &[]).0, 201);
    let document = first.get("/document");
    drop(first);
    let second = start(&arguments);
    assert_eq!(second.run(CREATE, &[]).0, 409, "the group is still there");
    drop(second);

    let path = folder.path().join("acme.json");
    std::fs::write(&path, document.to_string()).unwrap();
    let third = start(&["--document", path.to_str().unwrap()]);
    assert_eq!(third.run(CREATE, &[]).0, 409, "the document has the group");
}

#[test]
#[ignore = "needs the server of ROLECALL_POSTGRES_URL; .ci/postgres starts one and calls this by name"]
fn postgresql_keeps_the_tenant() {
    let url = std::env::var("ROLECALL_POSTGRES_URL").unwrap();
    // Another slug for each run, because the server may be one that stays.
    let tenant = format!("acme-{}", uuid::Uuid::new_v4().simple());
    let arguments = ["--postgres", &url, "--tenant", &tenant];
    let first = start_for(&tenant, &arguments);
    let (status, group) = first.run(CREATE, &[]);
    assert_eq!(status, 201, "{group}");
    let group = group["id"].as_str().unwrap();
    let users = first.get("/users?search=bob");
    let user = users["items"][0]["id"].as_str().unwrap();
    assert_eq!(first.run(ADD_MEMBER, &[("{groupId}", group), ("user-uuid", user)]).0, 201);
    drop(first);

    let second = start_for(&tenant, &arguments);
    assert_eq!(second.run(CREATE, &[]).0, 409, "the group is still there");
    let members = second.get(&format!("/groups/{group}/members"));
    assert_eq!(members["items"][0]["userId"], user);

    // Two portals at once: each sees what the other one changes.
    let other = start_for(&tenant, &arguments);
    let carol = other.get("/users?search=carol");
    let carol = carol["items"][0]["id"].as_str().unwrap();
    assert_eq!(other.run(ADD_MEMBER, &[("{groupId}", group), ("user-uuid", carol)]).0, 201);
    let is_seen = || second.get(&format!("/groups/{group}/members"))["items"].as_array().unwrap().len() == 2;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !is_seen() {
        assert!(std::time::Instant::now() < deadline, "the second portal does not follow the other one");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn without_a_token_the_command_makes_one_and_help_names_the_arguments() {
    let help = Command::new(env!("CARGO_BIN_EXE_rolecall-portal")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for argument in ["--listen <ADDRESS>", "--token <TOKEN>", "--redb <FILE>", "--postgres <URL>", "--document <FILE>"]
    {
        assert!(help.contains(argument), "{help}");
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_rolecall-portal"))
        .args(["--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let token = lines.nth(2).unwrap().unwrap();
    assert!(token.starts_with("token of `admin@acme.com`: ") && token.len() > 80, "{token}");
    child.kill().unwrap();
    child.wait().unwrap();
    let mut rest = String::new();
    drop(lines.next().map(|line| line.unwrap().as_bytes().read_to_string(&mut rest)));
}

#[test]
fn a_blank_token_is_refused_at_the_start() {
    for arguments in [
        ["--token", ""],
        ["--token", " "],
        ["--user-token", "alice@acme.com="],
        ["--scim-token", "okta="],
        ["--scim-token", "okta= "],
    ] {
        let child = Command::new(env!("CARGO_BIN_EXE_rolecall-portal"))
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut running = Running { child, address: String::new(), tenant: String::new() };
        let first = BufReader::new(running.child.stdout.take().unwrap()).lines().next();
        assert!(first.is_none(), "{arguments:?}: {first:?}");
        let mut text = String::new();
        running.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(text.contains("the token is blank"), "{arguments:?}: {text}");
    }
}
