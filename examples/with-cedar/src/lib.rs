//! rolecall beside a policy engine: rolecall knows who has which role and belongs to which group. Cedar decides about
//! single resources by their attributes.
//!
//! ```
//! use rolecall_with_cedar::{Expense, Expenses, Permission, SystemRole};
//!
//! let authorizer = rolecall::blocking::Authorizer::builder().catalog(Permission::catalog()).build();
//! let acme = authorizer.create_tenant("acme", "Acme")?;
//! acme.update(|tx| {
//!     tx.create_group("emea")?;
//!     tx.create_user("alice")?.join("emea")?.assign(SystemRole::Approver)?.done()
//! })?;
//! let expenses = Expenses::new()?;
//! let small = Expense { id: "e1".into(), region: "emea".into(), amount: 900, submitted_by: "bob".into() };
//! assert!(expenses.may_approve(&acme.now(), "alice", &small));
//! assert!(!expenses.may_approve(&acme.now(), "alice", &Expense { region: "apac".into(), ..small }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! How it is done:
//!
//! - rolecall is asked first. It denies users who are unknown, suspended or without the permission. So no policy of Cedar
//!   can make somebody an approver.
//! - The active groups and roles of the user become parents of the principal. They are complete: parent groups,
//!   included roles and windows are resolved. So the principal and the resource are the only entities.
//! - Policies name roles of the catalog only. A tenant that creates a role with such a name gets nothing by it.
//! - Cedar ignores a policy that fails, even one that forbids. Here, any failure is a denial.
#![forbid(unsafe_code)]

use std::collections::{HashMap, HashSet};
use std::error::Error;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet, Request,
    RestrictedExpression, Schema, ValidationMode, Validator,
};
use rolecall::Moment;
use rolecall::moment::Origin;

rolecall::catalog! {
    /// The permissions of this application.
    pub enum Permission {
        ExpensesApprove = "expenses:approve",
    }
    /// The roles that every tenant has, and that policies name.
    pub enum SystemRole {
        Approver = "approver" { grants: [ExpensesApprove] },
        Director = "director" { grants: [ExpensesApprove] },
    }
}

/// An expense, which the application stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expense {
    /// The id.
    pub id: String,
    /// The slug of the group whose members may approve it.
    pub region: String,
    /// The amount.
    pub amount: i64,
    /// The key of the user who has submitted it.
    pub submitted_by: String,
}

/// Decides about expenses.
#[derive(Debug)]
pub struct Expenses {
    authorizer: Authorizer,
    policies: PolicySet,
    schema: Schema,
    action: EntityUid,
    types: Types,
}

/// The types of entities, parsed once.
#[derive(Debug)]
struct Types {
    user: EntityTypeName,
    group: EntityTypeName,
    role: EntityTypeName,
    expense: EntityTypeName,
}

impl Expenses {
    /// Reads the policies, and compares them with the schema.
    ///
    /// # Errors
    /// If a policy is invalid. Call this when the application starts.
    pub fn new() -> Result<Self, Box<dyn Error>> {
        Self::with_policies(include_str!("../expenses.cedar"))
    }

    /// The same with other policies.
    ///
    /// # Errors
    /// If a policy is invalid.
    pub fn with_policies(policies: &str) -> Result<Self, Box<dyn Error>> {
        let (schema, _) = Schema::from_cedarschema_str(include_str!("../expenses.cedarschema"))?;
        let policies: PolicySet = policies.parse()?;
        let validated = Validator::new(schema.clone()).validate(&policies, ValidationMode::default());
        if !validated.validation_passed() {
            let errors: Vec<String> = validated.validation_errors().map(ToString::to_string).collect();
            return Err(errors.join("; ").into());
        }
        let types = Types {
            user: "User".parse()?,
            group: "Group".parse()?,
            role: "Role".parse()?,
            expense: "Expense".parse()?,
        };
        Ok(Self { authorizer: Authorizer::new(), policies, schema, action: r#"Action::"approve""#.parse()?, types })
    }

    /// May this user approve this expense? A failure is a denial.
    #[must_use = "a check that is not looked at protects nothing"]
    pub fn may_approve(&self, moment: &Moment<'_>, user: &str, expense: &Expense) -> bool {
        moment.check(user, Permission::ExpensesApprove) && self.decide(moment, user, expense).unwrap_or(false)
    }

    fn decide(&self, moment: &Moment<'_>, user: &str, expense: &Expense) -> Result<bool, Box<dyn Error>> {
        let types = &self.types;
        let groups = moment.all_groups_of(user);
        let groups = groups.iter().map(|group| uid(&types.group, group.record.slug.as_str()));
        let roles = moment.all_roles_of(user);
        let roles = roles.iter().filter(|role| role.record.origin == Origin::Catalog);
        let roles = roles.map(|role| uid(&types.role, role.record.slug().as_str()));
        let parents: HashSet<EntityUid> = groups.chain(roles).collect();
        let principal = Entity::new(uid(&types.user, user), HashMap::new(), parents)?;

        let reference = |of: &EntityTypeName, name: &str| RestrictedExpression::new_entity_uid(uid(of, name));
        let attributes = HashMap::from([
            ("region".to_owned(), reference(&types.group, &expense.region)),
            ("amount".to_owned(), RestrictedExpression::new_long(expense.amount)),
            ("submitted_by".to_owned(), reference(&types.user, &expense.submitted_by)),
        ]);
        let resource = Entity::new(uid(&types.expense, &expense.id), attributes, HashSet::new())?;

        let (of, about) = (principal.uid(), resource.uid());
        let request = Request::new(of, self.action.clone(), about, Context::empty(), Some(&self.schema))?;
        let entities = Entities::from_entities([principal, resource], Some(&self.schema))?;
        let response = self.authorizer.is_authorized(&request, &self.policies, &entities);
        Ok(response.decision() == Decision::Allow && response.diagnostics().errors().next().is_none())
    }
}

fn uid(of: &EntityTypeName, name: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(of.clone(), EntityId::new(name))
}
