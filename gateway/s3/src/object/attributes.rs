//! GetObjectAttributes.

use packstone_access::Action;
use packstone_store::object::Version;
use s3s::dto::{
    Checksum, GetObjectAttributesInput, GetObjectAttributesOutput, GetObjectAttributesParts, ObjectAttributes,
    ObjectPart,
};
use s3s::{S3Request, S3Response, S3Result};

use super::part::page_of;
use super::version;
use crate::asker::Asker;
use crate::checksum::{self, place};
use crate::condition::whole_seconds;
use crate::encryption::{Customer, Of};
use crate::error::{argument, from_store};
use crate::face::Face;
use crate::{etag, headers, owner};

impl Face {
    pub(crate) fn get_object_attributes_verb(
        &self,
        request: S3Request<GetObjectAttributesInput>,
    ) -> S3Result<S3Response<GetObjectAttributesOutput>> {
        let asker = Asker::of(&request);
        let S3Request { input, headers, .. } = request;
        owner::expect(input.expected_bucket_owner.as_deref())?;
        let named = version::named(input.version_id.as_deref())?;
        let customer = Customer::parse(&headers, Of::Object, &asker)?;
        // A header may name several, and s3s keeps the text of each header whole.
        let asked: Vec<&str> =
            input.object_attributes.iter().flat_map(|names| names.as_str().split(',')).map(str::trim).collect();
        if asked.iter().any(|name| !KNOWN.contains(name)) {
            return Err(argument("x-amz-object-attributes", "Invalid attribute name specified."));
        }
        let (reads, describes) = match named {
            None => (Action::GetObject, Action::GetObjectAttributes),
            Some(_) => (Action::GetObjectVersion, Action::GetObjectVersionAttributes),
        };
        let place = (&*input.bucket, &*input.key);
        self.may_on_version(&asker, reads, place, named)?;
        let grant = self.may_on_version(&asker, describes, place, named)?;
        let unread = |error| self.missing(&asker, (&input.bucket, &input.key), version::unread(error, named.is_some()));
        let version = self.store.describe(&grant, named).map_err(unread)?;
        let version = &version;
        let encryption = version.attributes.encryption.as_ref();
        self.may_use_key_of(&asker, encryption, Action::Decrypt)?;
        self.store.check_key(&grant, encryption, customer.as_ref().map(Customer::key)).map_err(from_store)?;
        let mut output = GetObjectAttributesOutput {
            last_modified: Some(whole_seconds(version.modified)),
            version_id: self.told_version(&input.bucket, version.version),
            ..GetObjectAttributesOutput::default()
        };
        for name in asked {
            match name {
                ObjectAttributes::ETAG => output.e_tag = Some(etag::to_dto(version.attributes.etag)),
                ObjectAttributes::CHECKSUM => output.checksum = checksum_of(version),
                ObjectAttributes::OBJECT_PARTS if !version.parts.is_empty() => {
                    output.object_parts = Some(parts(version, input.max_parts, input.part_number_marker)?);
                }
                ObjectAttributes::STORAGE_CLASS => {
                    output.storage_class = Some(headers::class_of(&version.attributes));
                }
                ObjectAttributes::OBJECT_SIZE => output.object_size = i64::try_from(version.size).ok(),
                _ => {}
            }
        }
        Ok(S3Response::new(output))
    }
}

const KNOWN: [&str; 5] = [
    ObjectAttributes::ETAG,
    ObjectAttributes::CHECKSUM,
    ObjectAttributes::OBJECT_PARTS,
    ObjectAttributes::STORAGE_CLASS,
    ObjectAttributes::OBJECT_SIZE,
];

fn checksum_of(version: &Version) -> Option<Checksum> {
    let checksum = version.attributes.checksum.as_ref()?;
    let mut told = Checksum { checksum_type: Some(checksum::kind_dto(checksum.kind)), ..Checksum::default() };
    place!(told, checksum, checksum::encode(checksum, version.attributes.etag.parts));
    Some(told)
}

fn part(version: &Version, number: i32, size: u64) -> ObjectPart {
    let mut told = ObjectPart { part_number: Some(number), size: i64::try_from(size).ok(), ..ObjectPart::default() };
    let index = usize::try_from(number - 1).ok();
    if let Some(checksum) = index.and_then(|index| version.part_checksums.as_ref()?.get(index)) {
        place!(told, checksum, checksum::encode(&checksum, 0));
    }
    told
}

/// Parts are numbered from one in the order in which they make the object.
fn parts(version: &Version, most: Option<i32>, marker: Option<i32>) -> S3Result<GetObjectAttributesParts> {
    let (after, most) = page_of(marker, most)?;
    let total = i32::try_from(version.parts.len()).unwrap_or(i32::MAX);
    let page: Vec<ObjectPart> = (1..)
        .zip(&version.parts)
        .filter(|(number, _)| *number > i32::from(after))
        .take(most)
        .map(|(number, size)| part(version, number, *size))
        .collect();
    let last = page.last().and_then(|part| part.part_number);
    Ok(GetObjectAttributesParts {
        is_truncated: Some(last.is_some_and(|last| last < total)),
        max_parts: i32::try_from(most).ok(),
        next_part_number_marker: last,
        part_number_marker: Some(i32::from(after)),
        parts: Some(page),
        total_parts_count: Some(total),
    })
}
