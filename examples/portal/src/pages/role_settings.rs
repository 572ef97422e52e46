//! A new role, and what can be changed about one: its grants, the roles that it includes, its names, and deleting it.

use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use rolecall::moment::{Origin, WithOrigin};
use rolecall::records::{Granted, RoleId, RoleRecord};
use rolecall::{Moment, Tx};
use rolecall_axum::Problem;

use super::change::Submitted;
use super::edits::{self, role_version};
use super::fields::Fields;
use super::groups::not_found;
use super::layout::{
    Mistake, Section, breadcrumbs, danger_form, empty, error_summary, page_with_status, save_or_preview, text_field,
};
use super::roles::{MOST_GRANTS, grants, head};
use super::visit::{Frame, Visit};
use crate::catalog::required::{RolesManage, RolesRead};
use crate::deletion::Deletion;
use crate::state::PortalState;

/// The grants, inclusions and names of the role, and its deletion.
pub(super) async fn settings(
    visit: Visit<RolesRead>,
    Path((_, role)): Path<(String, RoleId)>,
    Query(fields): Query<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let moment = visit.moment();
    let role = moment.role(role).ok_or_else(|| not_found("role"))?;
    Ok(settings_page(StatusCode::OK, &visit.frame, &moment, &role, &Fields(fields), &[]))
}

fn role_fields(moment: &Moment<'_>, role: &WithOrigin<RoleRecord>, action: &str) -> Markup {
    html! {
        input type="hidden" name="do" value=(action);
        input type="hidden" name="version" value=(role_version(moment, role.id()));
    }
}

fn settings_page(
    status: StatusCode,
    frame: &Frame,
    moment: &Moment<'_>,
    role: &WithOrigin<RoleRecord>,
    fields: &Fields,
    mistakes: &[Mistake],
) -> Response {
    let own = frame.path(&format!("roles/{}", role.id()));
    let may_change = frame.rights.manage_roles && role.origin == Origin::Tenant;
    let is_again = !mistakes.is_empty() && fields.get("do") == "edit";
    let value = |name: &str, stored: &str| if is_again { fields.get(name).to_owned() } else { stored.to_owned() };
    let content = html! {
        (head(frame, role, "/settings", fields.get("done")))
        (error_summary(mistakes))
        @if may_change {
            (grants_forms(moment, role, &own, fields, mistakes))
            form.card method="post" action=(own) {
                h2 { "Details" }
                (role_fields(moment, role, "edit"))
                (text_field("name", "Name", "Display name", &value("name", role.name().as_str()), true, mistakes))
                (text_field("slug", "Slug", "Machine-readable identifier. Applications that use it must follow a change.", &value("slug", role.slug().as_str()), true, mistakes))
                (text_field("description", "Description", "What the role is for", &value("description", role.record.description.as_str()), false, mistakes))
                (save_or_preview("Save"))
            }
            (danger_form(&own, &role_fields(moment, role, "delete"), "Delete the role",
                "Everybody who has it loses what it gives, unless something else gives it, too.", "Delete role"))
        } @else {
            @if role.origin == Origin::Catalog { div.locked { strong { "The application defines this role." } " It can only be changed there. Its holders can be changed here." } }
            (grants(frame, moment, role))
        }
    };
    let title =
        if mistakes.is_empty() { format!("Settings of {}", role.name()) } else { format!("Error: {}", role.name()) };
    page_with_status(status, frame, Section::Roles, &title, content)
}

/// The forms for what a role grants and includes.
fn grants_forms(
    moment: &Moment<'_>,
    role: &WithOrigin<RoleRecord>,
    own: &str,
    fields: &Fields,
    mistakes: &[Mistake],
) -> Markup {
    let (grants, includes) = (moment.grants_of(role.id()), moment.includes_of(role.id()));
    let texts = grants.iter().take(MOST_GRANTS).filter_map(|granted| match granted {
        Granted::Permission(permission) => Some(moment.permission(permission.id())?.slug().to_string()),
        Granted::Pattern(pattern) => Some(pattern.to_string()),
    });
    let typed = |name: &str| {
        if fields.get("do") == name { fields.get(if name == "grant" { "grant" } else { "include" }) } else { "" }
    };
    html! {
        div.card {
            h2 { "Grants" }
            @if grants.is_empty() { (empty("This role grants nothing itself.")) }
            @else {
                form method="post" action=(own) {
                    (role_fields(moment, role, "revoke"))
                    ul.choices {
                        @for (i, text) in texts.enumerate() {
                            li { input type="checkbox" id=(format!("grant-{i}")) name="grant" value=(text); label for=(format!("grant-{i}")) { code { (text) } } }
                        }
                    }
                    @if grants.len() > MOST_GRANTS { p.muted { "Only the first " (MOST_GRANTS) " are shown." } }
                    div.actions { button name="step" value="preview" { "Revoke chosen grants" } }
                }
            }
            form method="post" action=(own) {
                (role_fields(moment, role, "grant"))
                (text_field("grant", "Grant a permission", "The slug of a permission, for example posts:write, or a pattern, for example posts:*", typed("grant"), true, mistakes))
                (save_or_preview("Grant"))
            }
        }
        div.card {
            h2 { "Included roles" }
            @if includes.is_empty() { (empty("This role includes no other role.")) }
            @else {
                form method="post" action=(own) {
                    (role_fields(moment, role, "exclude"))
                    ul.choices {
                        @for included in includes.iter().take(MOST_GRANTS) {
                            @let id = format!("included-{}", included.id());
                            li { input type="checkbox" id=(id) name="role" value=(included.id()); label for=(id) { span.name { (included.name()) } " " code.muted { (included.slug()) } } }
                        }
                    }
                    div.actions { button name="step" value="preview" { "Remove chosen roles" } }
                }
            }
            form method="post" action=(own) {
                (role_fields(moment, role, "include"))
                (text_field("include", "Include a role", "Its slug. Users with this role then have what the other one gives.", typed("include"), true, mistakes))
                (save_or_preview("Include"))
            }
        }
    }
}

/// The form for a new role.
pub(super) async fn new(visit: Visit<RolesManage>) -> Response {
    new_form(StatusCode::OK, &visit.frame, &Fields::default(), &[])
}

fn new_form(status: StatusCode, frame: &Frame, fields: &Fields, mistakes: &[Mistake]) -> Response {
    let list = frame.path("roles");
    let content = html! {
        (breadcrumbs(&[(list.clone(), "Roles")], "Create Role"))
        h1 { "Create Role" }
        (error_summary(mistakes))
        form.card method="post" action=(list) {
            (text_field("name", "Name", "Display name, for example Editor", fields.get("name"), true, mistakes))
            (text_field("slug", "Slug", "Machine-readable identifier, for example editor. Derived from the name if it is empty.",
                fields.get("slug"), false, mistakes))
            (text_field("description", "Description", "What the role is for", fields.get("description"), false, mistakes))
            div.actions {
                button.primary name="step" value="save" { "Create Role" }
                a.button href=(list) { "Cancel" }
            }
        }
    };
    let title = if mistakes.is_empty() { "Create Role" } else { "Error: Create Role" };
    page_with_status(status, frame, Section::Roles, title, content)
}

pub(super) async fn create(
    visit: Visit<RolesManage>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let roles = visit.frame.path("roles");
    let submitted = Submitted::new(&visit, Section::Roles, roles.clone(), roles.clone(), Fields(fields));
    let again =
        |status: StatusCode, mistakes: &[Mistake]| Some(new_form(status, &visit.frame, &submitted.fields, mistakes));
    submitted.answer(|tx, fields| edits::create_role(tx, fields, &roles), again).await
}

pub(super) async fn change(
    State(state): State<PortalState>,
    visit: Visit<RolesManage>,
    Path((_, role)): Path<(String, RoleId)>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let roles = visit.frame.path("roles");
    let own = format!("{roles}/{role}");
    let back = format!("{own}/settings");
    let fields = Fields(fields);
    let submitted = Submitted::new(&visit, Section::Roles, own, back, fields.clone());
    let begun = submitted.long_deletion(Deletion::Role(role), &visit.moment());
    let again = move |status: StatusCode, mistakes: &[Mistake]| {
        let moment = visit.moment();
        let role = moment.role(role)?;
        Some(settings_page(status, &visit.frame, &moment, &role, &fields, mistakes))
    };
    let change = move |tx: &Tx, fields: &Fields| edits::change_role(tx, fields, role, &roles);
    submitted.answer_or_go_on(state.operations(), begun, change, again).await
}
