//! Notification configurations: stored here, carried out elsewhere.

use packstone_access::Action;
use std::collections::HashSet;

use s3s::S3Result;
use s3s::dto::{Event, NotificationConfiguration, NotificationConfigurationFilter};

use super::configuration::{Configuration, Site, gets, made_up_id, puts};
use crate::error::invalid_argument;
use crate::face::Face;

const LONGEST_ID: usize = 255;
/// The families of events that AWS has; what stands behind them, or `*`, tells them apart.
const FAMILIES: [&str; 11] = [
    "s3:ObjectCreated:",
    "s3:ObjectRemoved:",
    "s3:ObjectRestore:",
    "s3:ObjectTagging:",
    "s3:ObjectAcl:",
    "s3:Replication:",
    "s3:LifecycleTransition",
    "s3:LifecycleExpiration:",
    "s3:IntelligentTiering",
    "s3:ReducedRedundancyLostObject",
    "s3:TestEvent",
];

impl Face {
    puts!(
        put_bucket_notification_configuration_verb,
        PutBucketNotificationConfigurationInput => PutBucketNotificationConfigurationOutput,
        |input| input.notification_configuration
    );
    gets!(
        get_bucket_notification_configuration_verb,
        GetBucketNotificationConfigurationInput => GetBucketNotificationConfigurationOutput,
        |found: NotificationConfiguration| {
            event_bridge_configuration: found.event_bridge_configuration,
            lambda_function_configurations: found.lambda_function_configurations,
            queue_configurations: found.queue_configurations,
            topic_configurations: found.topic_configurations
        }
    );
}

/// What queues, topics and functions are told alike.
struct Told<'a> {
    id: &'a mut Option<String>,
    arn: &'a str,
    service: &'static str,
    events: &'a [Event],
    filter: Option<&'a NotificationConfigurationFilter>,
}

impl Configuration for NotificationConfiguration {
    const KIND: &'static str = "notification";
    const READS: Action = Action::GetBucketNotification;
    const CHANGES: Action = Action::PutBucketNotification;

    fn missing() -> S3Result<Self> {
        Ok(Self::default())
    }

    fn check(&mut self, _: &Site<'_>) -> S3Result<()> {
        let queues = self.queue_configurations.iter_mut().flatten().map(|queue| Told {
            id: &mut queue.id,
            arn: &queue.queue_arn,
            service: "sqs",
            events: &queue.events,
            filter: queue.filter.as_ref(),
        });
        let topics = self.topic_configurations.iter_mut().flatten().map(|topic| Told {
            id: &mut topic.id,
            arn: &topic.topic_arn,
            service: "sns",
            events: &topic.events,
            filter: topic.filter.as_ref(),
        });
        let functions = self.lambda_function_configurations.iter_mut().flatten().map(|function| Told {
            id: &mut function.id,
            arn: &function.lambda_function_arn,
            service: "lambda",
            events: &function.events,
            filter: function.filter.as_ref(),
        });
        let mut ids = HashSet::new();
        for told in queues.chain(topics).chain(functions) {
            check_told(&told)?;
            let id = match told.id.take().filter(|id| !id.is_empty()) {
                Some(id) => id,
                None => made_up_id()?,
            };
            if !ids.insert(id.clone()) {
                return Err(invalid_argument("Same ID used for multiple configurations. IDs must be unique"));
            }
            *told.id = Some(id);
        }
        Ok(())
    }
}

fn check_told(told: &Told<'_>) -> S3Result<()> {
    if told.id.as_ref().is_some_and(|id| id.len() > LONGEST_ID) {
        return Err(invalid_argument("ID length should not exceed allowed limit of 255"));
    }
    let parts: Vec<&str> = told.arn.splitn(6, ':').collect();
    let [arn, partition, service, _, _, resource] = parts.as_slice() else {
        return Err(invalid_argument("The ARN is not well formed"));
    };
    if *arn != "arn" || !partition.starts_with("aws") || *service != told.service || resource.is_empty() {
        return Err(invalid_argument("The ARN is not well formed"));
    }
    let is_known = |event: &Event| FAMILIES.iter().any(|family| AsRef::<str>::as_ref(event).starts_with(family));
    if told.events.is_empty() || !told.events.iter().all(is_known) {
        return Err(invalid_argument("A specified event is not supported for notifications."));
    }
    let key = told.filter.and_then(|filter| filter.key.as_ref());
    let mut names = HashSet::new();
    for rule in key.and_then(|key| key.filter_rules.as_ref()).into_iter().flatten() {
        let name = rule.name.as_ref().map(|name| name.as_str().to_ascii_lowercase()).unwrap_or_default();
        if !matches!(&*name, "prefix" | "suffix") {
            return Err(invalid_argument("filter rule name must be either prefix or suffix"));
        }
        if !names.insert(name) {
            return Err(invalid_argument("Cannot specify more than one prefix or suffix rule in a filter."));
        }
    }
    Ok(())
}
