use super::name_markers;

#[test]
fn what_has_no_size_is_a_marker() {
    let document = "<a><Version><Key>&lt;Size&gt;</Key></Version><Version><Key>k</Key><Size>0</Size></Version>\
                    <Version><VersionId>2</VersionId></Version><CommonPrefixes/></a>";
    assert_eq!(
        name_markers(document),
        "<a><DeleteMarker><Key>&lt;Size&gt;</Key></DeleteMarker><Version><Key>k</Key><Size>0</Size></Version>\
         <DeleteMarker><VersionId>2</VersionId></DeleteMarker><CommonPrefixes/></a>"
    );
    assert_eq!(name_markers("<a/>"), "<a/>");
    assert_eq!(name_markers("<Version>"), "<Version>");
}
