// Says, while a number is typed, how it is read and what looks wrong. The server reads it again and decides.
oninput=({target:f})=>{
if(f.id!='phone')return;
let a=document.getElementById('advice'),{ops,op,no}=a.dataset,v=f.value.replace(/[^\d\p{L}]/gu,''),n=v.replace(/^(00)?254|^0/,''),
o=Object.entries(JSON.parse(ops)).find(([,r])=>n.match('^('+r+')')),s='0'+n.slice(0,3)+' '+n.slice(3,6)+' '+n.slice(6);
a.textContent=/\D/.test(v)||n[9]||n&&!/^[17]/.test(n)?no:o&&n[2]?op.replace('{}',o[0]):n[8]&&s!=f.value?s:''
};
