//! XML documents as clients send them, one of every kind that S3 reads.

/// What every document of a bucket's configurations may hold.
const CONFIGURATIONS: [&str; 15] = [
    "<CORSConfiguration><CORSRule><ID>a</ID><AllowedMethod>GET</AllowedMethod><AllowedOrigin>https://*.example</AllowedOrigin>\
     <AllowedHeader>x-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule>\
     </CORSConfiguration>",
    "<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter><And><Prefix>a</Prefix><Tag><Key>k</Key>\
     <Value>v</Value></Tag><ObjectSizeGreaterThan>10</ObjectSizeGreaterThan></And></Filter><Expiration><Days>90</Days>\
     </Expiration><Transition><Days>60</Days><StorageClass>GLACIER</StorageClass></Transition>\
     <NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions>\
     </NoncurrentVersionExpiration></Rule><Rule><Status>Disabled</Status><Prefix/><AbortIncompleteMultipartUpload>\
     <DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload><Expiration>\
     <Date>2030-01-01T00:00:00.000Z</Date></Expiration></Rule></LifecycleConfiguration>",
    "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>\
     <KMSMasterKeyID>desk</KMSMasterKeyID></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled>\
     </Rule></ServerSideEncryptionConfiguration>",
    "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerPreferred</ObjectOwnership></Rule></OwnershipControls>",
    "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>false</IgnorePublicAcls>\
     <BlockPublicPolicy>true</BlockPublicPolicy></PublicAccessBlockConfiguration>",
    "<BucketLoggingStatus><LoggingEnabled><TargetBucket>logs</TargetBucket><TargetPrefix>a/</TargetPrefix>\
     <TargetObjectKeyFormat><PartitionedPrefix><PartitionDateSource>EventTime</PartitionDateSource></PartitionedPrefix>\
     </TargetObjectKeyFormat></LoggingEnabled></BucketLoggingStatus>",
    "<NotificationConfiguration><QueueConfiguration><Id>q</Id><Queue>arn:aws:sqs:us-east-1:000000000000:q</Queue>\
     <Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>prefix</Name><Value>a</Value></FilterRule></S3Key>\
     </Filter></QueueConfiguration><EventBridgeConfiguration/></NotificationConfiguration>",
    "<ReplicationConfiguration><Role>arn:aws:iam::000000000000:role/r</Role><Rule><ID>a</ID><Priority>1</Priority>\
     <Status>Enabled</Status><Filter><Prefix>a</Prefix></Filter><DeleteMarkerReplication><Status>Disabled</Status>\
     </DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::other</Bucket></Destination></Rule>\
     </ReplicationConfiguration>",
    "<AccelerateConfiguration><Status>Suspended</Status></AccelerateConfiguration>",
    "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>",
    "<Tagging><TagSet><Tag><Key>desk</Key><Value>r&#228;tes + fx</Value></Tag></TagSet></Tagging>",
    "<AnalyticsConfiguration><Id>a</Id><Filter><Prefix>a</Prefix></Filter><StorageClassAnalysis/></AnalyticsConfiguration>",
    "<IntelligentTieringConfiguration><Id>a</Id><Status>Enabled</Status><Tiering><AccessTier>ARCHIVE_ACCESS</AccessTier>\
     <Days>90</Days></Tiering></IntelligentTieringConfiguration>",
    "<InventoryConfiguration><Id>a</Id><IsEnabled>true</IsEnabled><IncludedObjectVersions>All</IncludedObjectVersions>\
     <Schedule><Frequency>Daily</Frequency></Schedule><Destination><S3BucketDestination><Bucket>arn:aws:s3:::b</Bucket>\
     <Format>CSV</Format></S3BucketDestination></Destination></InventoryConfiguration>",
    "<MetricsConfiguration><Id>a</Id><Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter></MetricsConfiguration>",
];

const OTHERS: [&str; 11] = [
    "<Delete><Quiet>true</Quiet><Object><Key>a</Key><VersionId>null</VersionId><ETag>\"x\"</ETag><Size>1</Size>\
     <LastModifiedTime>Tue, 01 Jan 2030 00:00:00 GMT</LastModifiedTime></Object><Object><Key>b</Key></Object></Delete>",
    "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"abababababababababababababababab\"</ETag></Part>\
     <Part><PartNumber>2</PartNumber><ETag>abababababababababababababababab</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32>\
     </Part></CompleteMultipartUpload>",
    "<AccessControlPolicy><Owner><ID>o</ID></Owner><AccessControlList><Grant><Grantee \
     xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"Group\">\
     <URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ</Permission></Grant>\
     </AccessControlList></AccessControlPolicy>",
    "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode>\
     <Days>3</Days></DefaultRetention></Rule></ObjectLockConfiguration>",
    "<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate></Retention>",
    "<LegalHold><Status>ON</Status></LegalHold>",
    "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Enabled</Status>\
     <MfaDelete>Disabled</MfaDelete></VersioningConfiguration>",
    "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>",
    "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b \"bbbb\"><!ENTITY c \"&b;&b;\">]><Tagging><TagSet><Tag><Key>&c;</Key>\
     <Value><![CDATA[<>]]></Value></Tag></TagSet></Tagging>",
    "<Tagging><TagSet><Tag><Key>a</Key><Value/></Tag><Tag><Key>a</Key><Value>twice</Value></Tag></TagSet></Tagging>",
    "<!-- nothing --><Delete></Delete>trailing",
];

pub fn documents() -> Vec<Vec<u8>> {
    CONFIGURATIONS.iter().chain(&OTHERS).map(|seed| seed.as_bytes().to_vec()).collect()
}

/// Every configuration among the seeds must be one that is taken, or the fuzzer would begin outside.
#[cfg(test)]
#[test]
fn seeds_are_taken() {
    for seed in CONFIGURATIONS {
        assert!(packstone_s3::trial::is_kept(seed.as_bytes()), "{seed}");
    }
}
