//! A user or group that is handed to a directory, or released from it. Both are always previewed first.

use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use rolecall::records::{ExternalId, GroupId, Manager, UserId};
use rolecall_axum::Problem;

use super::change::Submitted;
use super::edits;
use super::fields::Fields;
use super::groups::not_found;
use super::layout::{Mistake, Section, breadcrumbs, danger_form, error_summary, page_with_status, text_field};
use super::visit::{Frame, Visit};
use crate::catalog::Permission;
use crate::catalog::required::DirectoriesManage;
use crate::directories::Target;
use crate::state::PortalState;

/// The part of a user or group that the page shows.
struct Shown {
    section: Section,
    list: &'static str,
    /// The path of the user or group.
    own: String,
    name: String,
    version: String,
    manager: Option<Manager>,
    external_id: Option<ExternalId>,
}

impl Shown {
    /// Reads the user or group, if the visitor may see it.
    fn of(visit: &Visit<DirectoriesManage>, target: Target) -> Result<Self, Problem> {
        let moment = visit.moment();
        match target {
            Target::User(id) => {
                visit.require(&[Permission::UsersRead])?;
                let user = moment.user(id).ok_or_else(|| not_found("user"))?;
                Ok(Self {
                    section: Section::Users,
                    list: "users",
                    own: visit.frame.path(&format!("users/{id}")),
                    name: user.name().to_owned(),
                    version: edits::user_version(&moment, id),
                    manager: user.managed_by().cloned(),
                    external_id: user.external_id().cloned(),
                })
            }
            Target::Group(id) => {
                visit.require(&[Permission::GroupsRead])?;
                let group = moment.group(id).ok_or_else(|| not_found("group"))?;
                Ok(Self {
                    section: Section::Groups,
                    list: "groups",
                    own: visit.frame.path(&format!("groups/{id}")),
                    name: group.name.to_string(),
                    version: edits::group_version(&moment, id),
                    manager: group.managed_by().cloned(),
                    external_id: group.external_id().cloned(),
                })
            }
        }
    }

    fn hidden(&self, action: &str) -> Markup {
        html! {
            input type="hidden" name="do" value=(action);
            input type="hidden" name="version" value=(self.version);
        }
    }

    /// The effect of handing over on access.
    fn consequence(&self) -> &'static str {
        match self.section {
            Section::Groups => "The directory decides who is in the group, and so who gets what its roles give.",
            _ => "The user neither gains nor loses access by that.",
        }
    }

    fn page(
        &self,
        visit: &Visit<DirectoriesManage>,
        status: StatusCode,
        fields: &Fields,
        mistakes: &[Mistake],
    ) -> Response {
        let (frame, action) = (&visit.frame, format!("{}/directory", self.own));
        let list = if self.list == "users" { "Users" } else { "Groups" };
        let content = html! {
            (breadcrumbs(&[(frame.path(self.list), list), (self.own.clone(), self.name.as_str())], "Directory"))
            h1 { "Directory of " bdi { (self.name) } }
            (error_summary(mistakes))
            @if let Some(manager) = &self.manager {
                dl.facts {
                    dt { "Managed by" } dd { (manager) }
                    @if let Some(id) = &self.external_id { dt { "Id in the directory" } dd { code { (id) } } }
                }
                (danger_form(&action, &self.hidden("release"), &format!("Release from {manager}"),
                    "It can be changed here again, and the directory neither sees nor changes it any more. Nobody gains or loses access by that.",
                    "Release…"))
            } @else {
                form.card method="post" action=(action) {
                    h2 { "Hand over to a directory" }
                    p.hint { "Only the directory changes it from then on, by SCIM. Roles can still be assigned here. " (self.consequence()) }
                    (self.hidden("hand-over"))
                    (text_field("directory", "Directory", "The name that its SCIM token has here, for example okta", fields.get("directory"), true, mistakes))
                    (text_field("external-id", "Id in the directory (optional)", "If it is known. SCIM calls it externalId.", fields.get("external-id"), false, mistakes))
                    div.actions {
                        button.primary name="step" value="preview" { "Hand over…" }
                        a.button href=(format!("{}/settings", self.own)) { "Cancel" }
                    }
                }
            }
        };
        let prefix = if mistakes.is_empty() { "" } else { "Error: " };
        page_with_status(status, frame, self.section, &format!("{prefix}Directory of {}", self.name), content)
    }
}

/// The link to the page, in the settings of a user or group.
pub(super) fn directory_link(frame: &Frame, own: &str, is_managed: bool) -> Markup {
    html! {
        @if frame.rights.manage_directories {
            p { a href=(format!("{own}/directory")) { @if is_managed { "Release from its directory…" } @else { "Hand over to a directory…" } } }
        }
    }
}

fn show(visit: &Visit<DirectoriesManage>, target: Target) -> Result<Response, Problem> {
    Ok(Shown::of(visit, target)?.page(visit, StatusCode::OK, &Fields::default(), &[]))
}

async fn submit(
    state: &PortalState,
    visit: Visit<DirectoriesManage>,
    target: Target,
    fields: Fields,
) -> Result<Response, Problem> {
    let shown = Shown::of(&visit, target)?;
    let path = format!("{}/directory", shown.own);
    let submitted = Submitted::new(&visit, shown.section, path.clone(), path, fields);
    let again =
        |status: StatusCode, mistakes: &[Mistake]| Some(shown.page(&visit, status, &submitted.fields, mistakes));
    let (actor, done) = (visit.frame.user, format!("{}/settings", shown.own));
    let tenant = visit.asking.tenant().tenant_id();
    let is_known = |directory: &str| state.has_directory(tenant, directory);
    submitted.answer(|tx, fields| edits::change_directory(tx, fields, actor, target, is_known, &done), again).await
}

/// The page of a user.
pub(super) async fn user(
    visit: Visit<DirectoriesManage>,
    Path((_, user)): Path<(String, UserId)>,
) -> Result<Response, Problem> {
    show(&visit, Target::User(user))
}

/// The page of a group.
pub(super) async fn group(
    visit: Visit<DirectoriesManage>,
    Path((_, group)): Path<(String, GroupId)>,
) -> Result<Response, Problem> {
    show(&visit, Target::Group(group))
}

/// Hands a user over, or releases it.
pub(super) async fn change_user(
    State(state): State<PortalState>,
    visit: Visit<DirectoriesManage>,
    Path((_, user)): Path<(String, UserId)>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    submit(&state, visit, Target::User(user), Fields(fields)).await
}

/// Hands a group over, or releases it.
pub(super) async fn change_group(
    State(state): State<PortalState>,
    visit: Visit<DirectoriesManage>,
    Path((_, group)): Path<(String, GroupId)>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    submit(&state, visit, Target::Group(group), Fields(fields)).await
}
