//! What can be asked for: the actions of AWS S3, IAM, STS and KMS, and Packstone's own.

/// What an action acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Object,
    Bucket,
    /// The account's S3 as a whole: its buckets' names, its public access block.
    Account,
    /// Users, groups, roles, policies and sessions.
    Identity,
    /// The node itself. No policy speaks of it.
    Node,
}

macro_rules! actions {
    ($($service:ident $level:ident { $($(#[$doc:meta])* $action:ident)+ })+) => {
        /// What is asked for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Action {
            $($($(#[$doc])* $action,)+)+
        }

        impl Action {
            pub const ALL: &'static [Self] = &[$($(Self::$action,)+)+];

            /// The name that policies call it by, such as `s3:GetObject`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $($(Self::$action => concat!(stringify!($service), ":", stringify!($action)),)+)+
                }
            }

            #[must_use]
            pub const fn level(self) -> Level {
                match self {
                    $($(Self::$action)|+ => Level::$level,)+
                }
            }
        }
    };
}

actions! {
    s3 Object {
        AbortMultipartUpload BypassGovernanceRetention DeleteObject DeleteObjectTagging DeleteObjectVersion
        DeleteObjectVersionTagging GetObject GetObjectAcl GetObjectAttributes GetObjectLegalHold GetObjectRetention
        GetObjectTagging GetObjectVersion GetObjectVersionAcl GetObjectVersionAttributes
        GetObjectVersionForReplication GetObjectVersionTagging InitiateReplication ListMultipartUploadParts
        ObjectOwnerOverrideToBucketOwner
        /// Uploads in parts as well.
        PutObject
        PutObjectAcl PutObjectLegalHold PutObjectRetention PutObjectTagging PutObjectVersionAcl
        PutObjectVersionTagging ReplicateDelete ReplicateObject ReplicateTags RestoreObject
    }
    s3 Bucket {
        CreateBucket DeleteBucket DeleteBucketPolicy DeleteBucketWebsite GetAccelerateConfiguration
        GetAnalyticsConfiguration GetBucketAcl GetBucketCORS GetBucketLocation GetBucketLogging GetBucketNotification
        GetBucketObjectLockConfiguration GetBucketOwnershipControls GetBucketPolicy GetBucketPolicyStatus
        GetBucketPublicAccessBlock GetBucketRequestPayment GetBucketTagging GetBucketVersioning GetBucketWebsite
        GetEncryptionConfiguration GetIntelligentTieringConfiguration GetInventoryConfiguration
        GetLifecycleConfiguration GetMetricsConfiguration GetReplicationConfiguration
        /// HeadBucket, listing of objects and of uploads.
        ListBucket
        ListBucketMultipartUploads ListBucketVersions PutAccelerateConfiguration PutAnalyticsConfiguration
        PutBucketAcl PutBucketCORS PutBucketLogging PutBucketNotification PutBucketObjectLockConfiguration
        PutBucketOwnershipControls PutBucketPolicy PutBucketPublicAccessBlock PutBucketRequestPayment PutBucketTagging
        PutBucketVersioning PutBucketWebsite PutEncryptionConfiguration PutIntelligentTieringConfiguration
        PutInventoryConfiguration PutLifecycleConfiguration PutMetricsConfiguration PutReplicationConfiguration
    }
    s3 Account { ListAllMyBuckets GetAccountPublicAccessBlock PutAccountPublicAccessBlock }
    iam Identity {
        AddClientIDToOpenIDConnectProvider AddUserToGroup AttachGroupPolicy AttachRolePolicy AttachUserPolicy
        ChangePassword CreateAccessKey CreateAccountAlias CreateGroup CreateOpenIDConnectProvider CreatePolicy
        CreatePolicyVersion CreateRole CreateUser DeleteAccessKey DeleteAccountAlias DeleteGroup DeleteGroupPolicy
        DeleteOpenIDConnectProvider DeletePolicy DeletePolicyVersion DeleteRole DeleteRolePermissionsBoundary
        DeleteRolePolicy DeleteUser DeleteUserPermissionsBoundary DeleteUserPolicy DetachGroupPolicy DetachRolePolicy
        DetachUserPolicy GetAccessKeyLastUsed GetAccountAuthorizationDetails GetAccountSummary GetGroup
        GetGroupPolicy GetOpenIDConnectProvider GetPolicy GetPolicyVersion GetRole GetRolePolicy GetUser
        GetUserPolicy ListAccessKeys ListAccountAliases ListAttachedGroupPolicies ListAttachedRolePolicies
        ListAttachedUserPolicies ListEntitiesForPolicy ListGroupPolicies ListGroups ListGroupsForUser
        ListOpenIDConnectProviders ListOpenIDConnectProviderTags ListPolicies ListPolicyTags ListPolicyVersions ListRolePolicies ListRoleTags
        ListRoles ListUserPolicies ListUserTags ListUsers PassRole PutGroupPolicy PutRolePermissionsBoundary
        PutRolePolicy PutUserPermissionsBoundary PutUserPolicy RemoveClientIDFromOpenIDConnectProvider
        RemoveUserFromGroup SetDefaultPolicyVersion SimulateCustomPolicy SimulatePrincipalPolicy
        TagOpenIDConnectProvider TagPolicy TagRole TagUser UntagOpenIDConnectProvider UntagPolicy UntagRole UntagUser UpdateAccessKey UpdateAssumeRolePolicy UpdateGroup
        UpdateOpenIDConnectProviderThumbprint UpdateRole UpdateRoleDescription UpdateUser
    }
    sts Identity {
        AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity DecodeAuthorizationMessage GetAccessKeyInfo
        GetCallerIdentity GetFederationToken GetSessionToken SetSourceIdentity TagSession
    }
    kms Identity { Decrypt GenerateDataKey }
    packstone Node {
        /// Status, sealing, verification: whatever concerns the node and no bucket.
        Administer
    }
    packstone Identity {
        /// Have the compliance clock go on to a time that another user approves as well.
        ApproveComplianceTime
    }
}

impl Action {
    /// The action of that name, whatever its case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.name().eq_ignore_ascii_case(name))
    }

    /// Whether it is written for by the name of S3.
    #[must_use]
    pub fn is_s3(self) -> bool {
        matches!(self.level(), Level::Object | Level::Bucket | Level::Account)
    }
}

/// Actions that AWS defines for S3 and that no verb here asks for: a policy that names them is well formed.
pub(crate) const UNSERVED: &[&str] = &[
    "s3:AssociateAccessGrantsIdentityCenter",
    "s3:CreateAccessGrant",
    "s3:CreateAccessGrantsInstance",
    "s3:CreateAccessGrantsLocation",
    "s3:CreateAccessPoint",
    "s3:CreateAccessPointForObjectLambda",
    "s3:CreateBucketMetadataTableConfiguration",
    "s3:CreateJob",
    "s3:CreateMultiRegionAccessPoint",
    "s3:CreateStorageLensGroup",
    "s3:DeleteAccessGrant",
    "s3:DeleteAccessGrantsInstance",
    "s3:DeleteAccessGrantsInstanceResourcePolicy",
    "s3:DeleteAccessGrantsLocation",
    "s3:DeleteAccessPoint",
    "s3:DeleteAccessPointForObjectLambda",
    "s3:DeleteAccessPointPolicy",
    "s3:DeleteAccessPointPolicyForObjectLambda",
    "s3:DeleteBucketMetadataTableConfiguration",
    "s3:DeleteJobTagging",
    "s3:DeleteMultiRegionAccessPoint",
    "s3:DeleteStorageLensConfiguration",
    "s3:DeleteStorageLensConfigurationTagging",
    "s3:DeleteStorageLensGroup",
    "s3:DescribeJob",
    "s3:DescribeMultiRegionAccessPointOperation",
    "s3:DissociateAccessGrantsIdentityCenter",
    "s3:GetAccessGrant",
    "s3:GetAccessGrantsInstance",
    "s3:GetAccessGrantsInstanceForPrefix",
    "s3:GetAccessGrantsInstanceResourcePolicy",
    "s3:GetAccessGrantsLocation",
    "s3:GetAccessPoint",
    "s3:GetAccessPointConfigurationForObjectLambda",
    "s3:GetAccessPointForObjectLambda",
    "s3:GetAccessPointPolicy",
    "s3:GetAccessPointPolicyForObjectLambda",
    "s3:GetAccessPointPolicyStatus",
    "s3:GetAccessPointPolicyStatusForObjectLambda",
    "s3:GetBucketMetadataTableConfiguration",
    "s3:GetDataAccess",
    "s3:GetJobTagging",
    "s3:GetMultiRegionAccessPoint",
    "s3:GetMultiRegionAccessPointPolicy",
    "s3:GetMultiRegionAccessPointPolicyStatus",
    "s3:GetMultiRegionAccessPointRoutes",
    "s3:GetObjectTorrent",
    "s3:GetObjectVersionTorrent",
    "s3:GetStorageLensConfiguration",
    "s3:GetStorageLensConfigurationTagging",
    "s3:GetStorageLensDashboard",
    "s3:GetStorageLensGroup",
    "s3:ListAccessGrants",
    "s3:ListAccessGrantsInstances",
    "s3:ListAccessGrantsLocations",
    "s3:ListAccessPoints",
    "s3:ListAccessPointsForObjectLambda",
    "s3:ListCallerAccessGrants",
    "s3:ListJobs",
    "s3:ListMultiRegionAccessPoints",
    "s3:ListStorageLensConfigurations",
    "s3:ListStorageLensGroups",
    "s3:ListTagsForResource",
    "s3:PauseReplication",
    "s3:PutAccessGrantsInstanceResourcePolicy",
    "s3:PutAccessPointConfigurationForObjectLambda",
    "s3:PutAccessPointPolicy",
    "s3:PutAccessPointPolicyForObjectLambda",
    "s3:PutAccessPointPublicAccessBlock",
    "s3:PutJobTagging",
    "s3:PutMultiRegionAccessPointPolicy",
    "s3:PutStorageLensConfiguration",
    "s3:PutStorageLensConfigurationTagging",
    "s3:SubmitMultiRegionAccessPointRoutes",
    "s3:TagResource",
    "s3:UntagResource",
    "s3:UpdateAccessGrantsLocation",
    "s3:UpdateBucketMetadataInventoryTableConfiguration",
    "s3:UpdateBucketMetadataJournalTableConfiguration",
    "s3:UpdateJobPriority",
    "s3:UpdateJobStatus",
    "s3:UpdateObjectEncryption",
    "s3:UpdateStorageLensGroup",
];
