package script

const homeVariable = "USERPROFILE"
