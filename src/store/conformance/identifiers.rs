//! S8: a store compares identifiers byte for byte and keeps every byte.

use super::case::{CaseContext, CaseError, CaseResult, cases, ensure, expect_eq};
use super::samples::{
    Records, added, applied, commit_on, commits_since, create_tenant, expect_state, load_existing, member, slug,
    suite_bug, tenant, tenant_id, user,
};
use super::similar_texts::{self, group, permission, role};
use crate::model::records::{Actor, Change, Note, Record, Window};
use crate::store::{Base, Commit};

cases! {
    S8: identifiers_differing_in_case_are_distinct,
        identifiers_differing_in_a_trailing_space_are_distinct,
        identifiers_differing_in_unicode_form_are_distinct,
        texts_that_look_like_numbers_or_escapes_are_kept,
        ids_differing_in_one_byte_are_distinct,
        the_longest_texts_are_kept_whole,
        patterns_are_compared_byte_for_byte,
        tenant_slugs_are_compared_and_sorted_byte_for_byte;
}

/// Writes the records in one creation and again in one commit each, and expects all of them as written.
async fn all_are_kept(case: &CaseContext<'_>, records: Vec<Record>) -> CaseResult {
    let store = &*case.store;
    let changes = added(records);
    let at = create_tenant(store, tenant_id(1), "acme", &changes).await?;
    let all = applied(applied(Records::new(), &added([tenant("acme")?])), &changes);
    expect_state(store, at, &all).await?;
    let mut at = create_tenant(store, tenant_id(2), "other", &[]).await?;
    for change in &changes {
        at = commit_on(store, at, std::slice::from_ref(change)).await?;
    }
    let all = applied(applied(Records::new(), &added([tenant("other")?])), &changes);
    expect_state(store, at, &all).await?;
    // Remove every second record: those that look like it must stay.
    let mut left = all;
    for change in changes.iter().step_by(2) {
        let removed =
            change.after().cloned().map(Change::removed).ok_or_else(|| CaseError::new("the suite's own change"))?;
        at = commit_on(store, at, std::slice::from_ref(&removed)).await?;
        left = applied(left, &[removed]);
        expect_state(store, at, &left).await?;
    }
    Ok(())
}

async fn identifiers_differing_in_case_are_distinct(case: &CaseContext<'_>) -> CaseResult {
    all_are_kept(case, similar_texts::differing_in_case()?).await
}

async fn identifiers_differing_in_a_trailing_space_are_distinct(case: &CaseContext<'_>) -> CaseResult {
    all_are_kept(case, similar_texts::differing_in_trailing_space()?).await
}

async fn identifiers_differing_in_unicode_form_are_distinct(case: &CaseContext<'_>) -> CaseResult {
    all_are_kept(case, similar_texts::differing_in_unicode_form()?).await
}

/// Texts that look like numbers, escapes, keywords or nothing.
async fn texts_that_look_like_numbers_or_escapes_are_kept(case: &CaseContext<'_>) -> CaseResult {
    let texts = [
        "7",
        "007",
        "7.0",
        "+7",
        "7e0",
        "0x7",
        "12345678901234567890",
        "12345678901234567891",
        "1e999",
        "nan",
        "true",
        "t",
        "null",
        "NULL",
        "undefined",
        "'",
        "''",
        "\"",
        "\"\"",
        r"\",
        r"\\",
        r"\n",
        r"\u0041",
        "A",
        "%41",
        "%",
        "_",
        "&",
        "&amp;",
        "&#38;",
        "$1",
        "?",
        "{}",
        "[]",
        "--",
        ";",
        "/*",
        "../x",
        "x",
    ];
    let mut records = Vec::new();
    for (number, text) in texts.into_iter().enumerate() {
        let number = u128::try_from(number).unwrap_or(0);
        records.push(user(1_000 + number, text)?);
        if !text.contains('*') {
            records.push(group(2_000 + number, text, text, text)?);
            records.push(role(3_000 + number, text, text)?);
            records.push(permission(4_000 + number, text, text)?);
        }
    }
    all_are_kept(case, records).await
}

async fn ids_differing_in_one_byte_are_distinct(case: &CaseContext<'_>) -> CaseResult {
    let ids: Vec<u128> = (0..16).map(|byte| 1 << (8 * byte)).chain([0, 1 << 127, u128::MAX]).collect();
    let mut records = Vec::new();
    for (number, id) in ids.iter().enumerate() {
        records.push(user(*id, &format!("user-{number}"))?);
        records.push(member(*id, !*id, Window::ALWAYS));
    }
    let tenants = ids.iter().enumerate().map(|(number, id)| (tenant_id(*id), format!("tenant-{number}")));
    for (tenant_id, name) in tenants.clone().skip(1) {
        create_tenant(&*case.store, tenant_id, &name, &[]).await?;
    }
    for (tenant_id, name) in tenants.skip(1) {
        expect_eq(&format!("find of `{name}`"), &case.store.find(&slug(&name)?).await?, &Some(tenant_id))?;
    }
    all_are_kept(case, records).await
}

async fn the_longest_texts_are_kept_whole(case: &CaseContext<'_>) -> CaseResult {
    all_are_kept(case, similar_texts::longest_texts()?).await?;
    let store = &*case.store;
    let (_, at) = load_existing(store, tenant_id(2)).await?;
    let mut envelope = super::samples::envelope(Base::At(at));
    envelope.actor = Some(Actor::new(&format!("{}é", "a".repeat(318))).map_err(suite_bug)?);
    envelope.note = Some(Note::new(&format!("{}\n", "n".repeat(4095))).map_err(suite_bug)?);
    store.commit(Commit { base: Base::At(at), envelope: &envelope, changes: &[] }).await?;
    match commits_since(store, at).await? {
        Some(commits) => expect_eq("the envelope", &commits.first().map(|commit| &commit.envelope), &Some(&envelope)),
        None => Ok(()),
    }
}

async fn patterns_are_compared_byte_for_byte(case: &CaseContext<'_>) -> CaseResult {
    all_are_kept(case, similar_texts::similar_patterns()?).await
}

async fn tenant_slugs_are_compared_and_sorted_byte_for_byte(case: &CaseContext<'_>) -> CaseResult {
    let store = &*case.store;
    let (long, longer) = ("z".repeat(62), "z".repeat(63));
    // In bytewise order: `-` before digits, digits before letters, a prefix before the longer slug.
    let slugs = ["-", "--", "0", "00", "a", "a-", "a--b", "a-b", "a0", "aa", "ab", "b", "b-a", "ba", &long, &longer];
    for (number, text) in slugs.iter().enumerate().rev() {
        create_tenant(store, tenant_id(u128::try_from(number).unwrap_or(0)), text, &[]).await?;
    }
    for (number, text) in slugs.iter().enumerate() {
        let found = store.find(&slug(text)?).await?;
        expect_eq(&format!("find of `{text}`"), &found, &Some(tenant_id(u128::try_from(number).unwrap_or(0))))?;
    }
    for limit in [1, 3, slugs.len(), slugs.len() + 1, 1_000] {
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = store.list(after.as_ref(), limit).await?;
            ensure(page.len() <= limit, || format!("a page of at most {limit} has {} tenants", page.len()))?;
            let is_last = page.len() < limit;
            listed.extend(page.iter().map(|listed| listed.slug.to_string()));
            after = page.into_iter().next_back().map(|listed| listed.slug);
            if is_last {
                break;
            }
            ensure(listed.len() <= slugs.len(), || {
                format!(
                    "list after `{}` does not end: it starts at that slug or before it",
                    listed.last().map_or("", String::as_str)
                )
            })?;
        }
        expect_eq(&format!("all pages of {limit}"), &listed, &slugs.iter().map(ToString::to_string).collect())?;
    }
    let after_none = store.list(Some(&slug("a-a")?), 2).await?;
    let names: Vec<_> = after_none.iter().map(|listed| listed.slug.as_str()).collect();
    expect_eq("a page after an unknown slug", &names, &vec!["a-b", "a0"])?;
    expect_eq("a page with limit 0", &store.list(None, 0).await?, &Vec::new())
}
