"""What is said of a refusal or a remark, by its code: in a clinician's words, with what to do.

The exact sentence, with its numbers, comes from lungcnn and stands behind a disclosure.
"""

REFUSALS = {
    "not_ct": "This is not a CT image. Export the CT series itself: its modality reads CT.",
    "not_dicom": "This is not a DICOM file. DICOM results can only be made of DICOM images.",
    "localizer": "This is the scout view on which the scan was planned. Choose the axial series of the same study.",
    "secondary_capture": (
        "This is a picture of a screen (secondary capture), not the CT image. Export the original axial "
        "series from the "
        "PACS."
    ),
    "projection": "This is a projection through many slices (MIP or similar). Choose the plain axial slices.",
    "burned_in": (
        "Letters or marks are burned into this image and hide tissue. Export it without overlay and annotations."
    ),
    "not_axial": "This is not an axial slice. Choose the axial reconstruction instead of a coronal or sagittal one.",
    "not_chest_ct": (
        "No chest with two lungs was recognised. Choose an axial slice between the apices and the diaphragm, "
        "shown with a "
        "lung window."
    ),
    "no_body": "No body was found on this image. Choose an axial chest slice that shows the whole cross-section.",
    "no_lungs": "No air-filled lung was found. Choose a slice between the apices and the diaphragm.",
    "too_small": "The picture is too coarse to judge. Export it at full size, 512 × 512 pixels or more.",
    "clipped": "The edge of the picture cuts through a lung. Export the slice with its whole field of view.",
    "several_pictures": (
        "Several pictures are tiled in this one. Send one slice at a time, or the series as DICOM files."
    ),
    "blurred": (
        "The picture is too blurred: the lungs have no sharp edges. Export the original instead of a photo of it."
    ),
    "wrong_window": (
        "The picture was exported with a window that cuts lung or soft tissue off. Export it with a lung window, about "
        "−600/1500 HU, or send the DICOM file."
    ),
    "in_colour": "This is a colour picture. Send a grey-scale CT slice without colour overlays, best as DICOM.",
    "not_finite": "The image holds values that are no numbers. Export it again from the PACS.",
    "unknown_image": (
        "Nothing on this image is like the chest slices that the network learnt from, so its answer would "
        "mean nothing. "
        "Choose an axial chest slice."
    ),
    "refused": (
        "This image is not an axial chest-CT slice that can be judged. Choose another slice of the chest series."
    ),
    "unreadable": "The file is damaged or incomplete. Export it again, or send another copy.",
    "unsupported": (
        "This kind of file is not accepted. Send DICOM files, PNG or JPEG pictures of slices, or a zip of them."
    ),
    "judging": (
        "Something failed that nobody foresaw. The other slices are not affected; try another export of this one."
    ),
    "error": "This could not be done. Try again; if it happens again, tell the people who run this demo.",
    "model": "The model on this server is missing or damaged. Tell the people who run this demo.",
    "model_structure": "The model on this server can't be explained. Tell the people who run this demo.",
    "missing_package": "The server lacks a software package for this. Tell the people who run this demo.",
    "usage": "This choice is not available here. Choose one of those on the page.",
    "output": "The result could not be written. Tell the people who run this demo.",
    "nothing_judged": "No slice of this series could be judged. The table of slices says why for each.",
    "no_suspicious_class": "None of this model's classes is the suspicious one, so nothing is looked for.",
    "list_of_pictures": "Pictures don't say that they are of one patient, so each is judged by itself.",
}
REMARKS = {
    "lung_ends": "Little lung on this slice: near the diaphragm and at the apices the model errs most.",
    "one_lung": "Air-filled lung on one side only. What holds no air (effusion, collapse, mass) was not judged.",
    "low_resolution": "The lungs are small in this picture: small findings may be lost.",
    "lettering": "There seems to be lettering beside the body; it was ignored. Check that it names no patient.",
    "thick_slice": "A thick slice: the model learnt from thin ones, and small findings fade in thick ones.",
    "sharp_kernel": "A sharp reconstruction kernel: noisier than what the model learnt from.",
    "body_part": "The file names another part of the body. Lungs are seen, so the slice was judged.",
    "unlike_training": (
        "Unlike the slices that the network learnt from, as other scanners' can be. Trust the result less."
    ),
    "uncalibrated": "This model was never calibrated: its percentages rank the classes and mean no more.",
    "turned": "The image lay another way than usual and was turned.",
    "window_corrected": "The display window was unusual and had to be estimated; values in HU are estimates.",
    "inverted_levels": "Black and white were exchanged; this was corrected.",
    "inverted_values": "The stored values were inverted; this was corrected.",
    "polarity_assumed": "The file doesn't say which end of its scale is bright; the usual one was assumed.",
    "sign_assumed": "The file's number format contradicts itself; the plausible reading was taken.",
    "assumed_window": "A picture states no HU: its grey levels were read as a lung window.",
    "no_rescale": "The file doesn't say how its values become HU; they were taken as HU.",
    "not_hu": "The file's values may not be in HU.",
    "offset_32768": "The picture holds HU with an offset, and was read so.",
    "twelve_bits": "The picture uses 12 of its 16 bits, and was read so.",
    "padding_in_tissue": "The file declares values as empty that also occur in the body; they were kept.",
    "no_spacing": "The pixel size is not known: there are no lengths in mm.",
    "implausible_spacing": "The pixel size in the file is implausible and was ignored: there are no lengths in mm.",
    "colour": "The picture is in colour; its brightness was used.",
    "exif_orientation": "The picture was turned as its camera data say.",
    "one_of_many_frames": "One frame of a file with several.",
    "assumed_axial": "The files don't state how the slices lie; axial was assumed.",
    "slice_location": "The order of the slices follows the slice location that the files state.",
    "no_position": "The files state no usable positions; the order of the slices may be wrong.",
    "same_position": "Several slices at one position: the first was taken.",
    "duplicate": "The same image was sent twice: the first was taken.",
    "other_orientation": "Some images lie in another plane than the others and were set aside.",
    "mixed_spacing": "The distances between the slices are mixed.",
    "mixed_thickness": "The slice thickness changes within the series.",
    "gap": "Slices are missing in between.",
    "order_of_names": "Pictures are in the order of their names.",
    "no_place": "The file doesn't say where the slice lies in the patient.",
}
REASONS = REFUSALS | REMARKS
# What a series leaves out, by the codes of what was set aside.
ASIDE = {
    "secondary_capture": "Set aside, pictures of a screen (secondary captures): {count}.",
    "localizer": "Set aside, scout views (localizers): {count}.",
    "projection": "Set aside, projections through many slices: {count}.",
    "not_axial": "Set aside, images in other than axial planes: {count}.",
    "duplicate": "Set aside, images that were sent twice: {count}.",
    "other_orientation": "Set aside, images tilted otherwise than the rest: {count}.",
    "same_position": "Set aside, images at positions that were taken already: {count}.",
    "no_position": "Set aside, images without a position: {count}.",
}
