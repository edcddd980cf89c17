//! PutObject with a write offset, which AWS has for directory buckets: the body becomes the end of an object.

use packstone_store::object::{Checksum, ChecksumKind, Etag, Version};
use packstone_store::placement::StorageClass;
use s3s::dto::{PutObjectInput, PutObjectOutput};
use s3s::{S3Request, S3Response, S3Result};

use super::put::Brought;
use crate::asker::Asker;
use crate::checksum::{self, of_parts, place};
use crate::digest::{Sums, md5};
use crate::encryption::Customer;
use crate::error::{argument, from_store};
use crate::etag;
use crate::face::Face;

impl Face {
    /// What the headers say of the object counts where it is made; what is there keeps what is said of it.
    pub(crate) async fn append_object_verb(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let asker = Asker::of(&request);
        let S3Request { mut input, headers, extensions, trailing_headers, .. } = request;
        let offset = input.write_offset_bytes.and_then(|offset| u64::try_from(offset).ok());
        let offset = offset
            .ok_or_else(|| argument("x-amz-write-offset-bytes", "x-amz-write-offset-bytes must not be negative."))?;
        let brought = self.brought(&asker, &mut input, (&headers, &extensions), trailing_headers)?;
        let Brought { announced, encrypted, precondition, grant, mut attributes } = brought;

        let cipher = if offset == 0 { self.cipher(&asker, &grant, &encrypted).await? } else { None };
        let customer = encrypted.customer().map(Customer::key);
        self.store.settle(&grant).await.map_err(from_store)?;
        let appender = self.store.appender(&grant, offset, Some(announced.length), cipher, customer);
        let (mut writer, base) = appender.map_err(from_store)?;
        if base.is_none() {
            writer = writer.in_class(StorageClass::of(&attributes));
        }
        let base = base.filter(|base| base.size > 0);
        if let Some(base) = &base {
            self.may_extend(&asker, &encrypted, base.attributes.encryption.as_ref())?;
        }
        let of_base = base.as_ref().and_then(|base| base.attributes.checksum.as_ref());
        let algorithm = announced.algorithm().or(of_base.map(|checksum| checksum.algorithm));
        let sums = announced.pour(input.body, algorithm, &mut writer).await?;
        attributes.etag = base.as_ref().map_or(sums.etag(), |base| extended(base, &sums));
        attributes.checksum = match &base {
            None => sums.checksum,
            Some(base) => of_both(base, sums.checksum.as_ref(), writer.written()),
        };
        let version = writer.commit(attributes, precondition).await.map_err(from_store)?;

        let mut output = PutObjectOutput {
            e_tag: Some(etag::to_dto(version.attributes.etag)),
            size: i64::try_from(version.size).ok(),
            ..PutObjectOutput::default()
        };
        if let Some(checksum) = &version.attributes.checksum {
            place!(output, checksum, checksum::encode(checksum, version.attributes.etag.parts));
            output.checksum_type = Some(checksum::kind_dto(checksum.kind));
        }
        let mut response = S3Response::new(output);
        let told = self.told_encrypted(version.attributes.encryption.as_ref(), encrypted.customer());
        response.headers.extend(told);
        Ok(response)
    }
}

/// The tag of an object and what is appended to it: as of an upload with two parts, and said to have as many as there are,
/// one without bytes not among them; or as many as it was said to have before, where these are told no more.
fn extended(base: &Version, body: &Sums) -> Etag {
    let told = base.parts.iter().filter(|size| **size > 0).count();
    let pieces = if told > 0 { told } else { usize::from(base.attributes.etag.parts).max(1) } + 1;
    let md5 = md5(&[base.attributes.etag.md5, body.md5].concat());
    Etag { md5, parts: u16::try_from(pieces).unwrap_or(u16::MAX) }
}

/// The checksum of both together, where both have a CRC of their whole bytes by one algorithm.
fn of_both(base: &Version, body: Option<&Checksum>, length: u64) -> Option<Checksum> {
    let held = base.attributes.checksum.as_ref().filter(|held| held.kind == ChecksumKind::FullObject)?;
    let pieces = [(base.size, Some(held)), (length, body)];
    of_parts(held.algorithm, ChecksumKind::FullObject, pieces.into_iter())
}
