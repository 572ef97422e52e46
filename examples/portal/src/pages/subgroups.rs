//! The subgroups and the parents of a group.

use axum::extract::{Path, Query};
use axum::response::Response;
use maud::html;
use rolecall::records::GroupId;
use rolecall_axum::Problem;

use super::groups::{Asked, found, group_fields, head};
use super::layout::{Section, empty, link, page, pager, text_field, window};
use super::tree::{self, Tree};
use super::visit::Visit;
use crate::catalog::required::GroupsRead;

/// The subgroups and the parents.
pub(super) async fn subgroups(
    visit: Visit<GroupsRead>,
    Path((_, group)): Path<(String, GroupId)>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let (moment, frame) = (visit.moment(), &visit.frame);
    let group = found(&moment, group)?;
    let own = frame.path(&format!("groups/{}", group.id));
    let path = format!("{own}/subgroups");
    let may_change = frame.rights.manage_groups && group.managed_by().is_none();
    let parents = moment.parents_of(group.id);
    let open = tree::opened(&asked.open);
    let tree = Tree::new(frame, &moment, &open, &path);
    let found = moment.subgroups(group.id, &asked.page());
    let content = html! {
        (head(frame, &moment, &group, "/subgroups", &asked.done))
        div.title {
            h2 { "Subgroups" }
            @if frame.rights.manage_groups {
                a.button href=(link(&frame.path("groups/new"), &[("parent", &group.id.to_string())])) { "Create subgroup" }
            }
        }
        p.hint { "Members of subgroups are members of this group, too, and inherit its roles." }
        @if found.items.is_empty() { (empty("This group has no subgroups.")) }
        @else {
            ul.tree.top {
                @for entry in &found.items {
                    @let shown = (!entry.window.is_always()).then(|| html! { " " (window(entry.window, moment.instant())) });
                    (tree.node(&entry.record, shown, 0))
                }
            }
        }
        (pager(&path, asked.after.is_empty(), found.next.map(|next| link(&path, &[("after", &next)]))))
        h2 { "Parent groups" }
        @if parents.is_empty() { (empty("This group is part of no other group.")) }
        @else {
            ul.results {
                @for entry in parents.iter() {
                    li.row {
                        div { (tree::group_line(frame, &moment, &entry.record)) " " @if !entry.window.is_always() { (window(entry.window, moment.instant())) } }
                        @if may_change {
                            form method="post" action=(own) {
                                (group_fields(&moment, &group, "remove-parent"))
                                input type="hidden" name="parent" value=(entry.record.id);
                                button name="step" value="preview" aria-label=(format!("Remove from {}", entry.record.name)) { "Remove" }
                            }
                        }
                    }
                }
            }
        }
        @if may_change {
            form.card method="post" action=(own) {
                (group_fields(&moment, &group, "add-parent"))
                (text_field("parent", "Add a parent group", "Its slug, for example staff. Members of this group inherit its roles.", "", true, &[]))
                div.actions { button name="step" value="preview" { "Preview" } }
            }
        }
    };
    Ok(page(frame, Section::Groups, &format!("Subgroups of {}", group.name), content))
}
