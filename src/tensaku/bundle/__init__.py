"""The offline bundle: everything that installs Tensaku and runs its demonstration on a machine without a network.

pack.bundle   a folder with wheels, licences, bill of materials, checksums and the script that installs them
pins.pins     what is to be packed: the packages of this installation, each in the version that stands here
command       `tensaku bundle`
"""
