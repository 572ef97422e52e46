//! Translates the questions into the form that each contestant takes.

use rolecall::snapshot::PermissionHandle;
use uuid::Uuid;

use super::Workload;
use super::by_hand::{Flat, Limits};
use super::enum_permission::EnumPermission;
use super::organisation::{key, now, slug};
use super::questions::Question;
use super::timing::Contestant;

/// How a question identifies the user and the permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Both by handle.
    Handle,
    /// The user by UUID, the permission by handle.
    Uuid,
    /// The user by key, the permission by slug.
    KeySlug,
    /// The user by UUID, the permission by a variant of an enum.
    Enum,
}

impl Form {
    pub(crate) const ALL: [Self; 4] = [Self::Handle, Self::Uuid, Self::KeySlug, Self::Enum];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Handle => "handle",
            Self::Uuid => "uuid",
            Self::KeySlug => "key_slug",
            Self::Enum => "enum",
        }
    }
}

/// The keys and slugs of a list of questions, in one string and in the order of the questions. So they are in the cache
/// when they are asked about, as the texts of a request are.
pub(crate) struct QuestionTexts {
    text: String,
    /// The start of the key, the start of the slug and its end, for each question.
    bounds: Vec<[usize; 3]>,
}

impl QuestionTexts {
    pub(crate) fn new(questions: &[Question]) -> Self {
        let (mut text, mut bounds) = (String::new(), Vec::new());
        for question in questions {
            let start = text.len();
            text.push_str(&key(question.user as usize));
            let middle = text.len();
            text.push_str(&slug(question.permission));
            bounds.push([start, middle, text.len()]);
        }
        Self { text, bounds }
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let word = |from, to| self.text.get(from..to).unwrap();
        self.bounds.iter().map(move |[start, middle, end]| (word(*start, *middle), word(*middle, *end)))
    }
}

/// The data of the baselines. `flat` is left out where it does not fit in memory.
pub(crate) struct Baselines {
    pub(crate) flat: Option<Flat>,
    pub(crate) limits: Limits,
    slugs: Vec<String>,
}

impl Baselines {
    pub(crate) fn new<const N: usize>(workload: &Workload<N>, with_flat: bool) -> Self {
        let flat = with_flat.then(|| Flat::new(&workload.organisation, &workload.oracle));
        let slugs = (0..workload.size.permissions).map(slug).collect();
        Self { flat, limits: Limits::new(&workload.oracle), slugs }
    }
}

impl<const N: usize> Workload<N> {
    /// Compares all answers with the expected ones, at L every 64th.
    fn compare(&self, contestants: &[Contestant<'_>], questions: &[Question]) {
        let every = if self.size.name == "L" { 64 } else { 1 };
        for contestant in contestants {
            contestant.verify(questions, every);
        }
    }

    fn uuid(&self, question: &Question) -> Uuid {
        self.organisation.users[question.user as usize].id
    }

    fn handles(&self) -> Vec<PermissionHandle> {
        let held = self.held();
        (0..self.size.permissions).map(|p| held.permission_handle(slug(p)).unwrap()).collect()
    }

    /// Returns the crate as two contestants: on a held snapshot (`rolecall`) and through the tenant (`rolecall_tenant`).
    pub(crate) fn ours<'a>(
        &'a self,
        form: Form,
        questions: &[Question],
        words: &'a QuestionTexts,
    ) -> Vec<Contestant<'a>> {
        let (held, tenant) = (self.held(), &self.tenant);
        let handles = self.handles();
        let permission = |q: &Question| handles[q.permission as usize];
        let ours = match form {
            Form::Handle => {
                let user = |q: &Question| held.user_handle(self.uuid(q)).unwrap();
                let list: Vec<_> = questions.iter().map(|q| (user(q), permission(q))).collect();
                [
                    Contestant::new("rolecall", list.clone(), move |(user, permission)| held.check(*user, *permission)),
                    Contestant::new("rolecall_tenant", list, move |(user, permission)| {
                        tenant.check(*user, *permission)
                    }),
                ]
            }
            Form::Uuid => {
                let list: Vec<_> = questions.iter().map(|q| (self.uuid(q), permission(q))).collect();
                [
                    Contestant::new("rolecall", list.clone(), move |(user, permission)| held.check(*user, *permission)),
                    Contestant::new("rolecall_tenant", list, move |(user, permission)| {
                        tenant.check(*user, *permission)
                    }),
                ]
            }
            Form::KeySlug => {
                let list: Vec<_> = words.iter().collect();
                [
                    Contestant::new("rolecall", list.clone(), move |(key, slug)| held.check(*key, *slug)),
                    Contestant::new("rolecall_tenant", list, move |(key, slug)| tenant.check(*key, *slug)),
                ]
            }
            Form::Enum => {
                let (held, tenant) = (self.enumerated.snapshot().at(now()), &self.enumerated);
                let list: Vec<_> =
                    questions.iter().map(|q| (self.uuid(q), EnumPermission::<N>(q.permission))).collect();
                [
                    Contestant::new("rolecall", list.clone(), move |(user, variant)| held.check(*user, *variant)),
                    Contestant::new("rolecall_tenant", list, move |(user, variant)| tenant.check(*user, *variant)),
                ]
            }
        };
        self.compare(&ours, questions);
        ours.into()
    }

    /// Returns the baselines and the limits. They find a user by UUID or by number.
    pub(crate) fn baselines<'a>(
        &'a self,
        form: Form,
        questions: &[Question],
        baselines: &'a Baselines,
    ) -> Vec<Contestant<'a>> {
        let Baselines { flat, limits, slugs } = baselines;
        let mut all = Vec::new();
        if form == Form::Uuid {
            let list = questions.iter().map(|q| (self.uuid(q), q.permission)).collect();
            all.push(Contestant::new("by_hand_fast", list, |(user, permission)| self.fast.check(user, *permission)));
            if let Some(flat) = flat {
                let slug = |q: &Question| slugs[q.permission as usize].as_str();
                let list = questions.iter().map(|q| (self.uuid(q), slug(q))).collect();
                all.push(Contestant::new("by_hand_flat", list, |(user, slug)| flat.check(user, slug)));
            }
            self.compare(&all, questions);
        }
        if matches!(form, Form::Uuid | Form::Handle) {
            let list: Vec<_> = questions.iter().map(|q| (q.user, q.permission)).collect();
            all.push(Contestant::new("limit_one", list.clone(), |(user, permission)| limits.one(*user, *permission)));
            let two = Contestant::new("limit_two", list, |(user, permission)| limits.two(*user, *permission));
            if self.size.permissions <= 1_024 {
                self.compare(std::slice::from_ref(&two), questions);
            }
            all.push(two);
        }
        all
    }
}
